/* A command's options: flags, then LODE_* variables, then $XDG_CONFIG_HOME/lode/config.ini.
 *
 *   [lode]        # for every command that has the option
 *   jobs = 4
 *   [convert]     # for one command
 *   dpi = 150
 *
 * The variable of --max-tokens is LODE_MAX_TOKENS. One table of entries per command serves parsing, help and
 * manual pages. */
#include "pipelines/cli.h"

#include <stdio.h>
#include <string.h>

GOptionEntry *
cli_common_entries(common_args *args)
{
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &args->json, "Results as one JSON document on stdout",
         NULL},
        {"quiet", 'q', 0, G_OPTION_ARG_NONE, &args->quiet, "No progress and no notes, errors only",
         NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &args->help, "Show this help", NULL},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

/* ---- defaults from outside ---- */

static gboolean
parse_boolean(const char *text, gboolean *value)
{
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"", "0", "false",
                                                                                "no", "off"};
    for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
        if (g_ascii_strcasecmp(text, yes[i]) == 0) return *value = TRUE;
    for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
        if (g_ascii_strcasecmp(text, no[i]) == 0) return *value = FALSE, TRUE;
    return FALSE;
}

static gboolean
set_value(const GOptionEntry *entry, const char *text)
{
    switch (entry->arg) {
    case G_OPTION_ARG_NONE: {
        gboolean value = FALSE;
        if (!parse_boolean(text, &value)) return FALSE;
        /* an option that takes something away is stored the other way round */
        *(gboolean *)entry->arg_data = (entry->flags & G_OPTION_FLAG_REVERSE) ? !value : value;
        return TRUE;
    }
    case G_OPTION_ARG_INT: {
        gint64 value = 0;
        if (!g_ascii_string_to_signed(text, 10, G_MININT, G_MAXINT, &value, NULL)) return FALSE;
        *(gint *)entry->arg_data = (gint)value;
        return TRUE;
    }
    case G_OPTION_ARG_INT64:
        return g_ascii_string_to_signed(text, 10, G_MININT64, G_MAXINT64, entry->arg_data, NULL);
    case G_OPTION_ARG_DOUBLE: {
        char *end = NULL;
        double value = g_ascii_strtod(text, &end);
        if (end == text || *end != '\0') return FALSE;
        *(double *)entry->arg_data = value;
        return TRUE;
    }
    case G_OPTION_ARG_STRING:
    case G_OPTION_ARG_FILENAME:
        g_free(*(char **)entry->arg_data);
        *(char **)entry->arg_data = g_strdup(text);
        return TRUE;
    case G_OPTION_ARG_STRING_ARRAY:
    case G_OPTION_ARG_FILENAME_ARRAY: /* a variable or a line of the file holds one */
        g_strfreev(*(char ***)entry->arg_data);
        *(char ***)entry->arg_data = g_strdupv((char *[]){(char *)(void *)text, NULL});
        return TRUE;
    default:
        return FALSE;
    }
}

static char *
variable_name(const char *long_name)
{
    g_autofree char *upper = g_ascii_strup(long_name, -1);
    g_strdelimit(upper, "-", '_');
    return g_strconcat("LODE_", upper, NULL);
}

/* Sets *where to what is to blame. */
static gboolean
apply_default(const GOptionEntry *entry, GKeyFile *config, const char *group, char **where)
{
    g_autofree char *variable = variable_name(entry->long_name);
    const char *text = g_getenv(variable);
    if (text != NULL) {
        if (set_value(entry, text)) return TRUE;
        *where = g_strdup_printf("%s=%s", variable, text);
        return FALSE;
    }
    const char *const groups[] = {group, "lode"};
    for (size_t i = 0; config != NULL && i < G_N_ELEMENTS(groups); i++) {
        g_autofree char *value = g_key_file_get_string(config, groups[i], entry->long_name, NULL);
        if (value == NULL) continue;
        if (set_value(entry, value)) return TRUE;
        *where = g_strdup_printf("config.ini: [%s] %s = %s", groups[i], entry->long_name, value);
        return FALSE;
    }
    return TRUE;
}

/* NULL without a file, and with *error where it is not readable. */
static GKeyFile *
load_config(GError **error)
{
    g_autofree char *path = g_build_filename(g_get_user_config_dir(), "lode", "config.ini", NULL);
    g_autoptr(GKeyFile) config = g_key_file_new();
    g_autoptr(GError) cause = NULL;
    if (g_key_file_load_from_file(config, path, G_KEY_FILE_NONE, &cause))
        return g_steal_pointer(&config);
    if (!g_error_matches(cause, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        g_set_error(error, PIPELINES_ERROR, LODE_ERROR_FORMAT, "%s: %s", path, cause->message);
    return NULL;
}

static int
apply_defaults(const command *cmd, const GOptionEntry *entries)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GKeyFile) config = load_config(&error);
    if (error != NULL) return cli_error(EXIT_WRONG_USAGE, "%s", error->message);
    for (const GOptionEntry *entry = entries; entry->long_name != NULL; entry++) {
        g_autofree char *where = NULL;
        if (strcmp(entry->long_name, "help") == 0) continue;
        if (!apply_default(entry, config, cmd->name, &where))
            return cli_usage_error(cmd->name, "%s: not a value for --%s", where, entry->long_name);
    }
    return -1;
}

/* ---- flags ---- */

static GOptionContext *
make_context(const command *cmd, const GOptionEntry *own, const GOptionEntry *common)
{
    GOptionContext *context = g_option_context_new(NULL);
    g_option_context_set_help_enabled(context, FALSE);
    /* without this "lode convert -o out -- -odd.pdf" could not be written, and "a.pdf -o out" could */
    g_option_context_set_strict_posix(context, FALSE);
    g_option_context_add_main_entries(context, own, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    g_option_context_set_summary(context, cmd->description);
    return context;
}

static void
append_entries(GString *text, const GOptionEntry *entries)
{
    for (const GOptionEntry *e = entries; e->long_name != NULL; e++) {
        if (e->flags & G_OPTION_FLAG_HIDDEN) continue;
        g_autofree char *names = e->short_name != 0
                                     ? g_strdup_printf("-%c, --%s", e->short_name, e->long_name)
                                     : g_strdup_printf("    --%s", e->long_name);
        g_autofree char *left = e->arg_description != NULL
                                    ? g_strdup_printf("%s %s", names, e->arg_description)
                                    : g_strdup(names);
        g_string_append_printf(text, "  %-26s %s\n", left, e->description);
    }
}

char *
cli_help_text(const command *cmd)
{
    g_autofree gpointer args = g_malloc0(cmd->args_size);
    if (cmd->init != NULL) cmd->init(args);
    g_autofree GOptionEntry *own = cmd->entries(args);
    g_autofree GOptionEntry *common = cli_common_entries(args);
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_append_printf(text, "Usage: lode %s %s\n\n%s\n\nOptions:\n", cmd->name, cmd->usage,
                           cmd->description);
    append_entries(text, own);
    append_entries(text, common);
    if (cmd->examples != NULL) g_string_append_printf(text, "\nExamples:\n%s\n", cmd->examples);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Free the strings that options stored: those of the table's string entries. */
void
cli_args_free(const command *cmd, gpointer args)
{
    g_autofree GOptionEntry *entries = cmd->entries(args);
    for (const GOptionEntry *e = entries; e->long_name != NULL; e++)
        if (e->arg == G_OPTION_ARG_STRING || e->arg == G_OPTION_ARG_FILENAME)
            g_clear_pointer((char **)e->arg_data, g_free);
        else if (e->arg == G_OPTION_ARG_STRING_ARRAY || e->arg == G_OPTION_ARG_FILENAME_ARRAY)
            g_clear_pointer((char ***)e->arg_data, g_strfreev);
    g_free(args);
}

/* GLib does not free a string that a flag replaces, it might be a literal; ours never are. */
static GPtrArray *
string_values(const GOptionEntry *entries)
{
    GPtrArray *values = g_ptr_array_new();
    for (const GOptionEntry *e = entries; e->long_name != NULL; e++)
        if (e->arg == G_OPTION_ARG_STRING || e->arg == G_OPTION_ARG_FILENAME)
            g_ptr_array_add(values, *(char **)e->arg_data);
    return values;
}

static void
free_replaced(GPtrArray *before, const GOptionEntry *entries)
{
    g_autoptr(GPtrArray) after = string_values(entries);
    for (guint i = 0; i < before->len; i++)
        if (before->pdata[i] != after->pdata[i]) g_free(before->pdata[i]);
    g_ptr_array_unref(before);
}

int
cli_parse(const command *cmd, gpointer args, int argc, char **argv, char ***operands)
{
    g_autofree GOptionEntry *own = cmd->entries(args);
    g_autofree GOptionEntry *common = cli_common_entries(args);
    int code = apply_defaults(cmd, own);
    if (code < 0) code = apply_defaults(cmd, common);
    if (code >= 0) return code;
    g_autoptr(GOptionContext) context = make_context(cmd, own, common);
    g_autoptr(GError) error = NULL;
    char **copy = g_new0(char *, (gsize)argc + 1);
    for (int i = 0; i < argc; i++)
        copy[i] = g_strdup(argv[i]);
    GPtrArray *before = string_values(own);
    gboolean parsed = g_option_context_parse_strv(context, &copy, &error);
    free_replaced(before, own);
    if (((common_args *)args)->help) {
        g_autofree char *text = cli_help_text(cmd);
        cli_write(text, strlen(text));
        g_strfreev(copy);
        return cli_finish(EXIT_ALL_GOOD);
    }
    if (!parsed) {
        g_strfreev(copy);
        return cli_usage_error(cmd->name, "%s", error->message);
    }
    /* drop the command's name, and a "--" that GLib leaves in front of the rest */
    int skip = copy[0] != NULL ? 1 : 0;
    if (skip == 1 && g_strcmp0(copy[1], "--") == 0) skip = 2;
    *operands = g_strdupv(copy + skip);
    g_strfreev(copy);
    return -1;
}
