/* Tesseract's language data: where it is, and what of it. Needs no Tesseract. */
#include "parse/ocr_internal.h"

#include <string.h>

#define SUFFIX ".traineddata"

static gboolean
has_data(const char *dir)
{
    g_autoptr(GDir) handle = dir != NULL ? g_dir_open(dir, 0, NULL) : NULL;
    for (const char *name; handle != NULL && (name = g_dir_read_name(handle)) != NULL;)
        if (g_str_has_suffix(name, SUFFIX)) return TRUE;
    return FALSE;
}

char *
parse_ocr_data_path(void)
{
    /* Where Debian, Fedora, Arch and people who compile put it. Of each language there may be a fast and an exact
     * network; whoever wants the exact ones where both are installed says so by the variable. */
    const char *const candidates[] = {g_getenv("TESSDATA_PREFIX"),
                                      "/usr/share/tesseract-ocr/5/tessdata",
                                      "/usr/share/tesseract-ocr/tessdata_best",
                                      "/usr/share/tesseract-ocr/4.00/tessdata",
                                      "/usr/share/tessdata",
                                      "/usr/share/tesseract/tessdata",
                                      "/usr/local/share/tessdata"};
    for (guint i = 0; i < G_N_ELEMENTS(candidates); i++) {
        if (has_data(candidates[i])) return g_strdup(candidates[i]);
        if (i > 0 || candidates[i] == NULL) continue;
        g_autofree char *below = g_build_filename(candidates[i], "tessdata", NULL);
        if (has_data(below)) return g_steal_pointer(&below);
    }
    return NULL;
}

static gint
compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char **
parse_ocr_languages(const char *data_path)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) dir = data_path != NULL ? g_dir_open(data_path, 0, NULL) : NULL;
    for (const char *name; dir != NULL && (name = g_dir_read_name(dir)) != NULL;)
        if (g_str_has_suffix(name, SUFFIX))
            g_ptr_array_add(names, g_strndup(name, strlen(name) - strlen(SUFFIX)));
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* "chi_sim" comes with tesseract-ocr-chi-sim, "script/Latin" with tesseract-ocr-script-latn and the like. */
char *
parse_ocr_package(const char *language)
{
    char *package = g_strconcat("tesseract-ocr-", language, NULL);
    return g_strdelimit(package, "_/", '-');
}

gboolean
parse_ocr_languages_check(const char *languages, GError **error)
{
    g_autofree char *data_path = parse_ocr_data_path();
    g_auto(GStrv) names = g_strsplit(languages, "+", -1);
    for (guint i = 0; names[i] != NULL; i++) {
        g_autofree char *file = g_strconcat(names[i], SUFFIX, NULL);
        g_autofree char *path = data_path ? g_build_filename(data_path, file, NULL) : NULL;
        const gboolean safe = names[i][0] != '\0' && strstr(names[i], "..") == NULL;
        if (safe && path != NULL && g_file_test(path, G_FILE_TEST_IS_REGULAR)) continue;
        g_autofree char *package = parse_ocr_package(names[i]);
        g_set_error(error, PARSE_ERROR, PARSE_ERROR_IO,
                    "OCR: no data for the language \"%s\": apt-get install %s, or put %s where "
                    "TESSDATA_PREFIX points",
                    names[i], package, file);
        return FALSE;
    }
    return TRUE;
}

char *
parse_ocr_languages_default(const char *data_path)
{
    g_auto(GStrv) names = parse_ocr_languages(data_path);
    if (g_strv_contains((const char *const *)names, "eng")) return g_strdup("eng");
    for (guint i = 0; names[i] != NULL; i++)
        if (strcmp(names[i], "osd") != 0 && strcmp(names[i], "equ") != 0) return g_strdup(names[i]);
    return g_strdup("eng");
}

char *
parse_ocr_data_sum(const char *data_path, const char *languages)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_auto(GStrv) names = g_strsplit(languages, "+", -1);
    for (char **name = names; *name != NULL; name++) {
        g_autofree char *file = g_strconcat(*name, SUFFIX, NULL);
        g_autofree char *path = g_build_filename(data_path, file, NULL);
        g_autoptr(GMappedFile) data = g_mapped_file_new(path, FALSE, NULL);
        if (data == NULL) continue; /* loading it says so */
        g_checksum_update(sum, (const guchar *)g_mapped_file_get_contents(data),
                          (gssize)g_mapped_file_get_length(data));
    }
    return g_strndup(g_checksum_get_string(sum), 16);
}
