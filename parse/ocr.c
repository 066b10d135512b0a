/* Tesseract: its language data, and from an image to words.
 *
 * One instance reads one image at a time and is kept from page to page: loading the network takes longer than a
 * short page. Tesseract would use four OpenMP threads for each line, which costs more than it gains; pages in
 * parallel use all cores, so each instance gets one. */
#include "parse/ocr_internal.h"

#include <dlfcn.h>
#include <string.h>
#include <tesseract/capi.h>

#define SUFFIX           ".traineddata"
#define DOUBT_TURN       0.6F /* confidence below which a page with few letters is tried upside down */
#define MISSED_SURE      0.85F /* of a word read in a second look */
#define MAX_DIGITS       3
#define MIN_LINE_NUMBERS 5    /* one more than the one above */
#define LINE_PT          16.0 /* a field no higher holds one line */
#define WHITELIST        "tessedit_char_whitelist"
#define FIGURES_SURE     0.8F
#define FIGURES_PX       36    /* the height at which raised figures are read */
#define FIGURES_DPI      300.0 /* and what they are told to have */
#define PAGE_FACTOR      6.0   /* recognition may take so many times the limit for a page */

struct parse_ocr {
    TessBaseAPI *api;
    char *data_path;
    char *languages;    /* those loaded */
    char *usual;        /* those of a page that does not tell */
    gboolean automatic; /* they follow the page */
    gboolean choice;    /* automatic, and there are several */
    const parse_ocr_store *store;
    char *identity; /* of the engine and its data, NULL until the store is asked */
    const int *cancel;
};

const char *
parse_tesseract_version(void)
{
    return TessVersion();
}

/* ---- the engine ---- */

/* Makes this thread run OpenMP's parallel regions alone. libgomp came with Tesseract; asked by name, because the
 * program itself does without it. */
static void
threads_limit(void)
{
    void *gomp = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (gomp == NULL) return;
    void (*set_levels)(int) = NULL;
    void *symbol = dlsym(gomp, "omp_set_max_active_levels");
    memcpy(&set_levels, &symbol, sizeof set_levels);
    if (set_levels != NULL) set_levels(0);
    dlclose(gomp);
}

/* The languages to use, those loaded already if they are the same. */
static gboolean
engine_load(parse_ocr *ocr, const char *languages, GError **error)
{
    if (g_strcmp0(ocr->languages, languages) == 0) return TRUE;
    if (!parse_ocr_languages_check(languages, error)) return FALSE;
    g_clear_pointer(&ocr->languages, g_free);
    if (TessBaseAPIInit2(ocr->api, ocr->data_path, languages, OEM_LSTM_ONLY) != 0) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_IO,
                    "OCR: Tesseract cannot use its data for \"%s\" in %s", languages,
                    ocr->data_path);
        return FALSE;
    }
    TessBaseAPISetVariable(ocr->api, "debug_file", "/dev/null");
    ocr->languages = g_strdup(languages);
    return TRUE;
}

/* Several languages for text? */
static gboolean
has_choice(const parse_ocr *ocr)
{
    g_autofree char *latin = parse_ocr_languages_of_script(ocr->data_path, "Latin");
    g_auto(GStrv) all = parse_ocr_languages(ocr->data_path);
    guint n = g_strv_length(all);
    for (char **name = all; *name != NULL; name++)
        if (strcmp(*name, "osd") == 0 || strcmp(*name, "equ") == 0) n--;
    return n > 1 || latin == NULL;
}

parse_ocr *
parse_ocr_new(const parse_ocr_options *options, GError **error)
{
    g_autoptr(parse_ocr) ocr = g_new0(parse_ocr, 1);
    if (options != NULL) {
        ocr->store = options->store;
        ocr->cancel = options->cancel;
    }
    ocr->data_path = parse_ocr_data_path();
    ocr->api = TessBaseAPICreate();
    g_autofree char *languages = options != NULL && options->languages != NULL
                                     ? g_strdup(options->languages)
                                     : parse_ocr_languages_default(ocr->data_path);
    ocr->automatic = options == NULL || options->languages == NULL;
    ocr->choice = ocr->automatic && has_choice(ocr);
    setMsgSeverity(L_SEVERITY_NONE);
    threads_limit();
    if (!engine_load(ocr, languages, error)) return NULL;
    ocr->usual = g_strdup(languages);
    return g_steal_pointer(&ocr);
}

void
parse_ocr_free(parse_ocr *ocr)
{
    if (ocr == NULL) return;
    if (ocr->api != NULL) {
        TessBaseAPIEnd(ocr->api);
        TessBaseAPIDelete(ocr->api);
    }
    g_free(ocr->data_path);
    g_free(ocr->languages);
    g_free(ocr->usual);
    g_free(ocr->identity);
    g_free(ocr);
}

/* ---- words ---- */

static parse_ocr_text *
text_new(void)
{
    parse_ocr_text *text = g_new0(parse_ocr_text, 1);
    text->symbols = g_array_new(FALSE, FALSE, sizeof(parse_ocr_symbol));
    text->words = g_array_new(FALSE, FALSE, sizeof(parse_ocr_word));
    text->lines = g_array_new(FALSE, FALSE, sizeof(parse_ocr_line));
    text->rules = g_array_new(FALSE, FALSE, sizeof(parse_path));
    text->pictures = g_array_new(FALSE, FALSE, sizeof(parse_rect));
    return text;
}

static void
text_free(parse_ocr_text *text)
{
    if (text == NULL) return;
    g_array_unref(text->symbols);
    g_array_unref(text->words);
    g_array_unref(text->lines);
    g_array_unref(text->rules);
    g_array_unref(text->pictures);
    g_free(text);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(parse_ocr_text, text_free)

/* A symbol may be several characters (a ligature, a letter with its accent): they share its box. */
static void
symbol_add(parse_ocr_text *text, const char *utf8, parse_ocr_symbol box)
{
    const glong n = g_utf8_strlen(utf8, -1);
    const int width = box.x1 - box.x0, x0 = box.x0;
    glong i = 0;
    for (const char *p = utf8; *p != '\0'; p = g_utf8_next_char(p), i++) {
        box.unicode = g_utf8_get_char(p);
        box.x0 = x0 + (int)(width * i / n);
        box.x1 = x0 + (int)(width * (i + 1) / n);
        g_array_append_val(text->symbols, box);
    }
}

/* Tesseract takes a long rule for a blank. */
static gboolean
is_blank(const char *utf8)
{
    for (; *utf8 != '\0'; utf8 = g_utf8_next_char(utf8))
        if (!g_unichar_isspace(g_utf8_get_char(utf8))) return FALSE;
    return TRUE;
}

static void
symbols_read(parse_ocr_text *text, TessResultIterator *it)
{
    const TessPageIterator *at = TessResultIteratorGetPageIteratorConst(it);
    do {
        char *utf8 = TessResultIteratorGetUTF8Text(it, RIL_SYMBOL);
        parse_ocr_symbol box = {0};
        if (utf8 != NULL && g_utf8_validate(utf8, -1, NULL) && !is_blank(utf8) &&
            TessPageIteratorBoundingBox(at, RIL_SYMBOL, &box.x0, &box.y0, &box.x1, &box.y1))
            symbol_add(text, utf8, box);
        TessDeleteText(utf8);
    } while (!TessPageIteratorIsAtFinalElement(at, RIL_WORD, RIL_SYMBOL) &&
             TessResultIteratorNext(it, RIL_SYMBOL));
}

static void
line_read(parse_ocr_text *text, const TessPageIterator *at)
{
    parse_ocr_line line = {.first_word = text->words->len};
    int x1 = 0, y1 = 0, x2 = 0, y2 = 0;
    TessPageIteratorBoundingBox(at, RIL_TEXTLINE, &line.x0, &line.y0, &line.x1, &line.y1);
    line.baseline = (float)line.y1;
    if (TessPageIteratorBaseline(at, RIL_TEXTLINE, &x1, &y1, &x2, &y2) && x2 != x1)
        line.baseline = 0.5F * (float)(y1 + y2);
    g_array_append_val(text->lines, line);
}

/* Does a word end in the beginning of an address, "http:" or "https:/"? */
static gboolean
opens_address(const parse_ocr_text *text, const parse_ocr_word *word)
{
    static const char *const openings[] = {"http:", "https:", "http:/", "https:/"};
    for (guint i = 0; i < G_N_ELEMENTS(openings); i++) {
        const guint n = (guint)strlen(openings[i]);
        guint same = 0;
        while (same < n && n <= word->n_symbols &&
               g_array_index(text->symbols, parse_ocr_symbol,
                             word->first_symbol + word->n_symbols - n + same)
                       .unicode == (uint32_t)openings[i][same])
            same++;
        if (same == n) return TRUE;
    }
    return FALSE;
}

/* The last word of a line goes on with what was read behind it; in addresses slashes stand so far apart that
 * Tesseract sees words. FALSE: it does not. */
static gboolean
address_join(parse_ocr_text *text, const parse_ocr_word *rest)
{
    const parse_ocr_line *line = &g_array_index(text->lines, parse_ocr_line, text->lines->len - 1);
    if (line->n_words == 0 ||
        g_array_index(text->symbols, parse_ocr_symbol, rest->first_symbol).unicode != '/')
        return FALSE;
    parse_ocr_word *last = &g_array_index(text->words, parse_ocr_word, text->words->len - 1);
    if (last->line != rest->line || !opens_address(text, last)) return FALSE;
    last->n_symbols += rest->n_symbols;
    last->y0 = MIN(last->y0, rest->y0);
    last->x1 = MAX(last->x1, rest->x1);
    last->y1 = MAX(last->y1, rest->y1);
    last->confidence = MIN(last->confidence, rest->confidence);
    return TRUE;
}

static void
words_read(parse_ocr_text *text, TessResultIterator *it)
{
    const TessPageIterator *at = TessResultIteratorGetPageIteratorConst(it);
    do {
        parse_ocr_word word = {.first_symbol = text->symbols->len};
        /* a block that is a picture has no words */
        if (!TessPageIteratorBoundingBox(at, RIL_WORD, &word.x0, &word.y0, &word.x1, &word.y1))
            continue;
        if (text->lines->len == 0 || TessPageIteratorIsAtBeginningOf(at, RIL_TEXTLINE))
            line_read(text, at);
        word.confidence = TessResultIteratorConfidence(it, RIL_WORD) / 100;
        word.line = text->lines->len - 1;
        symbols_read(text, it);
        word.n_symbols = text->symbols->len - word.first_symbol;
        if (word.n_symbols == 0 || address_join(text, &word)) continue;
        g_array_append_val(text->words, word);
        g_array_index(text->lines, parse_ocr_line, word.line).n_words++;
    } while (TessResultIteratorNext(it, RIL_WORD));
}

static void
pictures_read(parse_ocr_text *text, TessResultIterator *it)
{
    TessPageIterator *at = TessResultIteratorGetPageIterator(it);
    TessPageIteratorBegin(at);
    do {
        const TessPolyBlockType type = TessPageIteratorBlockType(at);
        int x0, y0, x1, y1;
        if ((type != PT_FLOWING_IMAGE && type != PT_HEADING_IMAGE && type != PT_PULLOUT_IMAGE) ||
            !TessPageIteratorBoundingBox(at, RIL_BLOCK, &x0, &y0, &x1, &y1))
            continue;
        const parse_rect box = {(float)x0, (float)y0, (float)x1, (float)y1};
        g_array_append_val(text->pictures, box);
    } while (TessPageIteratorNext(at, RIL_BLOCK));
}

static bool
is_cancelled(void *data, int words)
{
    const int *cancel = data;
    (void)words;
    return __atomic_load_n(cancel, __ATOMIC_RELAXED) != 0;
}

/* What the engine makes of (a rectangle of) the image it was given, behind what text holds. */
static void
recognize(parse_ocr *ocr, TessPageSegMode mode, const parse_rect *part, gint64 end_us,
          parse_ocr_text *text)
{
    static const int never = 0;
    const gint64 left_ms = end_us > 0 ? (end_us - g_get_monotonic_time()) / 1000 : 0;
    if (end_us > 0 && left_ms <= 0) {
        text->cut = TRUE;
        return;
    }
    TessBaseAPISetPageSegMode(ocr->api, mode);
    if (part != NULL)
        TessBaseAPISetRectangle(ocr->api, (int)part->x0, (int)part->y0, (int)(part->x1 - part->x0),
                                (int)(part->y1 - part->y0));
    ETEXT_DESC *monitor = TessMonitorCreate();
    TessMonitorSetCancelFunc(monitor, is_cancelled);
    TessMonitorSetCancelThis(monitor, (gpointer)(ocr->cancel ? ocr->cancel : &never));
    if (end_us > 0) TessMonitorSetDeadlineMSecs(monitor, (int)MIN(left_ms, G_MAXINT));
    if (TessBaseAPIRecognize(ocr->api, monitor) == 0) {
        TessResultIterator *it = TessBaseAPIGetIterator(ocr->api);
        if (it != NULL) {
            words_read(text, it);
            if (part == NULL) pictures_read(text, it);
        }
        TessResultIteratorDelete(it);
    }
    TessMonitorDelete(monitor);
    text->cut |= end_us > 0 && g_get_monotonic_time() > end_us;
}

static void
image_show(parse_ocr *ocr, PIX *gray, double dpi)
{
    TessBaseAPISetImage2(ocr->api, gray);
    TessBaseAPISetSourceResolution(ocr->api, (int)(dpi + 0.5));
}

/* The fields of tables one by one: image still has them. */
static void
fields_read(parse_ocr *ocr, const parse_ocr_image *image, const GArray *fields, gint64 end_us,
            parse_ocr_text *text)
{
    if (fields->len == 0) return;
    image_show(ocr, image->gray, image->dpi);
    for (guint i = 0; i < fields->len && !text->cut; i++) {
        const parse_rect *field = &g_array_index(fields, parse_rect, i);
        parse_rect ink;
        if (!parse_ocr_ink(image, field, &ink)) continue;
        const gboolean one = (ink.y1 - ink.y0) * 72 < LINE_PT * image->dpi;
        recognize(ocr, one ? PSM_SINGLE_LINE : PSM_SINGLE_BLOCK, &ink, end_us, text);
    }
}

/* Was a piece that had been passed over read, from word first on? A figure or a dash may stand alone; any other mark by
 * itself is as likely a speck or a part of a drawing. */
static gboolean
is_read(const parse_ocr_text *text, guint first)
{
    guint n_letters = 0, n_figures = 0, n_marks = 0;
    for (guint w = first; w < text->words->len; w++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, w);
        if (word->confidence < MISSED_SURE) return FALSE;
        for (guint i = 0; i < word->n_symbols; i++) {
            const uint32_t ch =
                g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i).unicode;
            if (g_unichar_isdigit(ch))
                n_figures++;
            else if (g_unichar_isalpha(ch))
                n_letters++;
            else if (ch != '-' || word->n_symbols > 1)
                n_marks++;
        }
    }
    if (first == text->words->len) return FALSE;
    return n_letters == 1 ? n_figures > 0 : n_letters + n_figures > 0 || n_marks == 0;
}

/* The number that a word is, -1 for any other word. */
static int
number_of(const parse_ocr_text *text, const parse_ocr_word *word)
{
    int number = 0;
    if (word->n_symbols == 0 || word->n_symbols > MAX_DIGITS) return -1;
    for (guint i = 0; i < word->n_symbols; i++) {
        const uint32_t ch =
            g_array_index(text->symbols, parse_ocr_symbol, word->first_symbol + i).unicode;
        if (ch < '0' || ch > '9') return -1;
        number = 10 * number + (int)(ch - '0');
    }
    return number;
}

/* Words from first on that count lines, beside the text or in the picture of a listing, get no confidence: numbers
 * below each other, most of which are one more than the one above. */
static void
line_numbers_doubt(parse_ocr_text *text, guint first)
{
    guint n_steps = 0;
    const parse_ocr_word *words = (const parse_ocr_word *)(gpointer)text->words->data;
    for (guint w = first + 1; w < text->words->len; w++) {
        const int before = number_of(text, &words[w - 1]), number = number_of(text, &words[w]);
        if (before >= 0 && number == before + 1 && words[w].x0 < words[w - 1].x1 &&
            words[w - 1].x0 < words[w].x1 && words[w].y0 >= words[w - 1].y1)
            n_steps++;
    }
    if (n_steps < MIN_LINE_NUMBERS) return;
    for (guint w = first; w < text->words->len; w++)
        if (number_of(text, &words[w]) >= 0)
            g_array_index(text->words, parse_ocr_word, w).confidence = 0;
}

/* Reads what was passed over. */
static void
missed_read(parse_ocr *ocr, const parse_ocr_image *image, gint64 end_us, parse_ocr_text *text)
{
    g_autoptr(GArray) pieces = parse_ocr_missed_find(image, text);
    if (pieces->len == 0) return;
    const guint first = text->words->len;
    image_show(ocr, image->gray, image->dpi);
    for (guint i = 0; i < pieces->len && !text->cut; i++) {
        const guint n_symbols = text->symbols->len, n_words = text->words->len,
                    n_lines = text->lines->len;
        recognize(ocr, PSM_SINGLE_LINE, &g_array_index(pieces, parse_rect, i), end_us, text);
        if (is_read(text, n_words)) continue;
        g_array_set_size(text->symbols, n_symbols);
        g_array_set_size(text->words, n_words);
        g_array_set_size(text->lines, n_lines);
    }
    line_numbers_doubt(text, first);
}

/* What a piece of an image shows as figures, "3,4"; NULL: surely none. Free with g_free. */
static char *
figures_read(parse_ocr *ocr, PIX *piece, gint64 end_us)
{
    g_autoptr(parse_ocr_text) read = text_new();
    image_show(ocr, piece, FIGURES_DPI);
    recognize(ocr, PSM_SINGLE_LINE, NULL, end_us, read);
    g_autoptr(GString) figures = g_string_new(NULL);
    for (guint w = 0; w < read->words->len; w++) {
        const parse_ocr_word *word = &g_array_index(read->words, parse_ocr_word, w);
        if (word->confidence < FIGURES_SURE) return NULL;
        for (guint i = 0; i < word->n_symbols; i++)
            g_string_append_unichar(
                figures,
                g_array_index(read->symbols, parse_ocr_symbol, word->first_symbol + i).unicode);
    }
    if (!g_regex_match_simple("^[1-9][0-9]{0,2}([,-][1-9][0-9]{0,2})*$", figures->str, 0, 0))
        return NULL;
    return g_strdup(figures->str);
}

/* Reads raised figures again that were taken for something else. */
static void
raised_read(parse_ocr *ocr, const parse_ocr_image *image, gint64 end_us, parse_ocr_text *text)
{
    g_autoptr(GArray) found = parse_ocr_raised_find(text);
    if (found->len > 0) TessBaseAPISetVariable(ocr->api, WHITELIST, "0123456789,-");
    for (guint i = 0; i < found->len && !text->cut; i++) {
        const parse_ocr_raised *one = &g_array_index(found, parse_ocr_raised, i);
        const int height = (int)(one->box.y1 - one->box.y0);
        BOX *box =
            boxCreate((int)one->box.x0, (int)one->box.y0, (int)(one->box.x1 - one->box.x0), height);
        PIX *part = box ? pixClipRectangle(image->gray, box, NULL) : NULL;
        const float factor = CLAMP(FIGURES_PX / (float)MAX(height, 1), 1, 4);
        PIX *larger = part ? pixScale(part, factor, factor) : NULL;
        PIX *framed = larger ? pixAddBorderGeneral(larger, FIGURES_PX / 2, FIGURES_PX / 2,
                                                   FIGURES_PX / 2, FIGURES_PX / 2, 255)
                             : NULL;
        g_autofree char *figures = framed ? figures_read(ocr, framed, end_us) : NULL;
        if (figures != NULL) parse_ocr_raised_put(text, one, figures);
        pixDestroy(&framed);
        pixDestroy(&larger);
        pixDestroy(&part);
        boxDestroy(&box);
    }
    if (found->len > 0) TessBaseAPISetVariable(ocr->api, WHITELIST, "");
}

/* The text of an image; the caller has loaded the languages. */
static parse_ocr_text *
image_read(parse_ocr *ocr, parse_ocr_image *image, double seconds)
{
    g_autoptr(parse_ocr_text) text = text_new();
    const gint64 end_us = seconds > 0 ? g_get_monotonic_time() + (gint64)(seconds * 1e6) : 0;
    parse_ocr_shapes_find(image, text->rules, text->pictures);
    parse_ocr_rules_erase(image, text->rules);
    g_autoptr(GArray) fields = parse_ocr_fields_find(image, text->rules);
    PIX *rest = fields->len > 0 ? pixCopy(NULL, image->gray) : pixClone(image->gray);
    for (guint i = 0; rest != NULL && i < fields->len; i++) {
        const parse_rect *field = &g_array_index(fields, parse_rect, i);
        parse_ocr_paint(rest, (int)field->x0, (int)field->y0, (int)field->x1, (int)field->y1, TRUE);
    }
    image_show(ocr, rest ? rest : image->gray, image->dpi);
    recognize(ocr, PSM_AUTO, NULL, end_us, text);
    fields_read(ocr, image, fields, end_us, text);
    parse_ocr_pictures_join(text->pictures, image->dpi);
    parse_ocr_drawings_find(image, text);
    missed_read(ocr, image, end_us, text);
    pixDestroy(&rest);
    return g_steal_pointer(&text);
}

/* Mean over letters; 0 where there is no text. */
static float
confidence_of(const parse_ocr_text *text)
{
    double sum = 0, n = 0;
    for (guint i = 0; i < text->words->len; i++) {
        const parse_ocr_word *word = &g_array_index(text->words, parse_ocr_word, i);
        sum += (double)word->confidence * word->n_symbols;
        n += word->n_symbols;
    }
    return n > 0 ? (float)(sum / n) : 0;
}

/* A page with few letters does not tell which way is up: the reading that is surest does. */
static parse_ocr_text *
image_read_turned(parse_ocr *ocr, parse_ocr_image *image, double seconds)
{
    g_autoptr(parse_ocr_text) text = image_read(ocr, image, seconds);
    if (image->turn_known || confidence_of(text) >= DOUBT_TURN) return g_steal_pointer(&text);
    const guint turns[] = {2, 3, 2};
    guint best = 0, turned = 0;
    float most = confidence_of(text);
    for (guint i = 0; i < G_N_ELEMENTS(turns); i++) {
        parse_ocr_image_turn(image, turns[i]);
        turned = (turned + turns[i]) % 4;
        g_autoptr(parse_ocr_text) other = image_read(ocr, image, seconds);
        if (confidence_of(other) <= most) continue;
        most = confidence_of(other);
        best = turned;
        text_free(text);
        text = g_steal_pointer(&other);
    }
    parse_ocr_image_turn(image, (best + 4 - turned) % 4);
    return g_steal_pointer(&text);
}

/* ---- languages by the page ---- */

/* Loads what is installed for the script of the image, or the usual languages where nothing is: few letters are easily
 * taken for another script's. A guess is tried beside the usual ones. missing: what to install for a script without data. */
static gboolean
languages_follow(parse_ocr *ocr, const parse_ocr_image *image, const char *name, GError **missing,
                 GError **error)
{
    gboolean sure = FALSE;
    g_autofree char *script = parse_ocr_script_find(ocr->data_path, image, &sure);
    g_autofree char *languages =
        sure ? parse_ocr_languages_of_script(ocr->data_path, script)
             : parse_ocr_languages_of_guess(ocr->data_path, script, ocr->usual);
    if (languages != NULL) return engine_load(ocr, languages, error);
    g_autofree char *language = parse_ocr_script_language(script);
    g_autofree char *package = parse_ocr_package(language);
    g_set_error(missing, PARSE_ERROR, PARSE_ERROR_IO,
                "%s: OCR: text in %s letters, for which no data is installed: apt-get install %s",
                name, script, package);
    return engine_load(ocr, ocr->usual, error);
}

/* ---- pages ---- */

static gboolean
part_read(parse_ocr *ocr, parse_file *file, const parse_page *page, const parse_rect *region,
          parse_page *result, GError **error)
{
    const double limit = file->options.page_seconds;
    g_autoptr(parse_ocr_image) image = parse_ocr_image_new(file, page, region, error);
    if (image == NULL) return FALSE;
    g_autoptr(GError) missing = NULL;
    if (ocr->choice && !languages_follow(ocr, image, file->name, &missing, error)) return FALSE;
    g_autoptr(parse_ocr_text) text = image_read_turned(ocr, image, limit * PAGE_FACTOR);
    /* letters of another script are read as nonsense */
    const gboolean nonsense = text->words->len > 0 && confidence_of(text) < DOUBT_TURN;
    if (ocr->automatic && !ocr->choice && nonsense &&
        !languages_follow(ocr, image, file->name, &missing, error))
        return FALSE;
    if (missing != NULL && nonsense) {
        g_propagate_error(error, g_steal_pointer(&missing));
        return FALSE;
    }
    if (ocr->cancel != NULL && __atomic_load_n(ocr->cancel, __ATOMIC_RELAXED) != 0) {
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_CANCELLED, "%s: cancelled at page %d",
                    file->name, page->index + 1);
        return FALSE;
    }
    parse_ocr_measure(text, image);
    raised_read(ocr, image, limit > 0 ? g_get_monotonic_time() + (gint64)(limit * 1e6) : 0, text);
    parse_ocr_page_add(result, image, text);
    result->truncated |= text->cut;
    return TRUE;
}

/* What the words of a page depend on, besides the file. */
static char *
store_key(parse_ocr *ocr, const parse_page *page, const parse_rect *regions, guint n_regions)
{
    if (ocr->identity == NULL) {
        /* which languages a page gets depends on all that are installed */
        g_auto(GStrv) installed = parse_ocr_languages(ocr->data_path);
        g_autofree char *all = g_strjoinv("+", installed);
        const char *languages = ocr->automatic ? all : ocr->languages;
        g_autofree char *data = parse_ocr_data_sum(ocr->data_path, languages);
        ocr->identity = g_strdup_printf("%s %s %s %s", parse_tesseract_version(),
                                        parse_mupdf_version(), languages, data);
    }
    GString *key = g_string_new(ocr->identity);
    g_string_append_printf(key, " page %d", page->index);
    for (guint i = 0; i < n_regions; i++)
        g_string_append_printf(key, " %a,%a,%a,%a", (double)regions[i].x0, (double)regions[i].y0,
                               (double)regions[i].x1, (double)regions[i].y1);
    return g_string_free(key, FALSE);
}

static parse_page *
page_read(parse_ocr *ocr, parse_file *file, const parse_page *page, const parse_rect *regions,
          guint n_regions, GError **error)
{
    g_autoptr(parse_page) result = parse_page_copy(page, n_regions > 0);
    for (guint i = 0; i < MAX(n_regions, 1); i++)
        if (!part_read(ocr, file, page, n_regions > 0 ? &regions[i] : NULL, result, error))
            return NULL;
    parse_page_publish(result);
    return g_steal_pointer(&result);
}

parse_page *
parse_ocr_page(parse_ocr *ocr, parse_file *file, const parse_page *page, const parse_rect *regions,
               guint n_regions, GError **error)
{
    const parse_ocr_store *store = ocr->store;
    if (store == NULL) return page_read(ocr, file, page, regions, n_regions, error);
    g_autofree char *key = store_key(ocr, page, regions, n_regions);
    g_autoptr(GBytes) kept = store->get(key, store->user_data);
    parse_page *result = kept != NULL ? parse_page_unpack(kept, page->index) : NULL;
    if (result != NULL) return result;
    result = page_read(ocr, file, page, regions, n_regions, error);
    if (result == NULL || result->truncated)
        return result; /* another time it may be done in time */
    g_autoptr(GBytes) packed = parse_page_pack(result);
    store->put(key, packed, store->user_data);
    return result;
}
