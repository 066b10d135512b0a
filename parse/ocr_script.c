/* Which languages a page may be in: those installed for its script, which Tesseract's OSD tells (orientation and script
 * detection, a classifier of its own with the data "osd"). */
#include "parse/ocr_internal.h"

#include <string.h>
#include <tesseract/capi.h>

#define MAX_LANGUAGES 3 /* tried side by side; each costs its time */
#define SCRIPT_SURE   1.0F

/* Tesseract's names of languages by the script it names; whatever stands nowhere here is written in Latin letters. */
static const struct {
    const char *script, *languages;
} scripts[] = {
    {"Cyrillic", "rus ukr bul srp bel mkd kaz kir mon tgk uzb_cyrl aze_cyrl"},
    {"Greek", "ell grc"},
    {"Han", "chi_sim chi_tra"},
    {"Japanese", "jpn"},
    {"Korean", "kor"},
    {"Hangul", "kor"},
    {"Arabic", "ara fas urd pus uig snd"},
    {"Hebrew", "heb yid"},
    {"Devanagari", "hin mar nep san"},
    {"Bengali", "ben asm"},
    {"Tamil", "tam"},
    {"Telugu", "tel"},
    {"Kannada", "kan"},
    {"Malayalam", "mal"},
    {"Gujarati", "guj"},
    {"Gurmukhi", "pan"},
    {"Sinhala", "sin"},
    {"Thai", "tha"},
    {"Lao", "lao"},
    {"Khmer", "khm"},
    {"Georgian", "kat"},
    {"Armenian", "hye"},
    {"Ethiopic", "amh tir"},
};

/* Is name one of the words of list? */
static gboolean
lists(const char *list, const char *name)
{
    g_auto(GStrv) words = g_strsplit(list, " ", -1);
    return g_strv_contains((const char *const *)words, name);
}

static gboolean
is_latin(const char *language)
{
    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++)
        if (lists(scripts[i].languages, language)) return FALSE;
    return strcmp(language, "osd") != 0 && strcmp(language, "equ") != 0;
}

char *
parse_ocr_languages_of_script(const char *data_path, const char *script)
{
    const char *of_script = NULL; /* NULL: Latin */
    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++)
        if (strcmp(scripts[i].script, script) == 0) of_script = scripts[i].languages;
    g_auto(GStrv) installed = parse_ocr_languages(data_path);
    GString *all = g_string_new(NULL);
    guint n = 0;
    /* English first: papers quote it in every language of Latin letters */
    if (of_script == NULL && g_strv_contains((const char *const *)installed, "eng")) {
        g_string_append(all, "eng");
        n++;
    }
    for (char **name = installed; *name != NULL && n < MAX_LANGUAGES; name++) {
        const gboolean fits = of_script != NULL ? lists(of_script, *name) : is_latin(*name);
        if (!fits || (of_script == NULL && strcmp(*name, "eng") == 0)) continue;
        g_string_append_printf(all, "%s%s", n > 0 ? "+" : "", *name);
        n++;
    }
    return g_string_free(all, n == 0);
}

char *
parse_ocr_languages_of_guess(const char *data_path, const char *script, const char *usual)
{
    g_autofree char *guessed =
        script != NULL ? parse_ocr_languages_of_script(data_path, script) : NULL;
    if (guessed == NULL) return g_strdup(usual);
    g_auto(GStrv) names = g_strsplit(guessed, "+", -1);
    if (g_strv_contains((const char *const *)names, usual)) return g_steal_pointer(&guessed);
    return g_strconcat(guessed, "+", usual, NULL);
}

char *
parse_ocr_script_language(const char *script)
{
    for (guint i = 0; i < G_N_ELEMENTS(scripts); i++)
        if (strcmp(scripts[i].script, script) == 0)
            return g_strndup(scripts[i].languages, strcspn(scripts[i].languages, " "));
    return g_strdup("eng");
}

char *
parse_ocr_script_find(const char *data_path, const parse_ocr_image *image, gboolean *sure)
{
    *sure = FALSE;
    g_autofree char *data = g_build_filename(data_path, "osd.traineddata", NULL);
    if (!g_file_test(data, G_FILE_TEST_IS_REGULAR)) return NULL;
    TessBaseAPI *api = TessBaseAPICreate();
    char *found = NULL;
    if (TessBaseAPIInit2(api, data_path, "osd", OEM_TESSERACT_ONLY) == 0) {
        const char *script = NULL;
        int degrees = 0;
        float turn_sure = 0, script_sure = 0;
        TessBaseAPISetVariable(api, "debug_file", "/dev/null");
        TessBaseAPISetPageSegMode(api, PSM_OSD_ONLY);
        TessBaseAPISetImage2(api, image->gray);
        TessBaseAPISetSourceResolution(api, (int)(image->dpi + 0.5));
        if (TessBaseAPIDetectOrientationScript(api, &degrees, &turn_sure, &script, &script_sure) &&
            script != NULL) {
            found = g_strdup(script); /* the name itself is Tesseract's */
            *sure = script_sure >= SCRIPT_SURE;
        }
        TessBaseAPIEnd(api);
    }
    TessBaseAPIDelete(api);
    return found;
}
