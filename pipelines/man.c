/* Manual pages from the tables that help is made of: nothing is written twice. */
#include "pipelines/cli.h"

#include <string.h>

/* Text as roff: backslashes and dashes escaped, control characters at the start of a line disarmed. */
static void
append_roff(GString *out, const char *text)
{
    gboolean at_start = TRUE;
    for (const char *p = text; *p != '\0'; p++) {
        if (at_start && (*p == '.' || *p == '\'')) g_string_append(out, "\\&");
        at_start = *p == '\n';
        if (*p == '\\')
            g_string_append(out, "\\e");
        else if (*p == '-')
            g_string_append(out, "\\-");
        else
            g_string_append_c(out, *p);
    }
}

/* Paragraphs: an empty line becomes .PP; indented lines keep their breaks. */
static void
append_paragraphs(GString *out, const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    gboolean literal = FALSE;
    for (char **line = lines; *line != NULL; line++) {
        gboolean indented = (*line)[0] == ' ';
        if (indented != literal && (*line)[0] != '\0') {
            g_string_append(out, indented ? ".nf\n" : ".fi\n");
            literal = indented;
        }
        if ((*line)[0] == '\0')
            g_string_append(out, ".PP\n");
        else {
            append_roff(out, *line);
            g_string_append_c(out, '\n');
        }
    }
    if (literal) g_string_append(out, ".fi\n");
}

static void
append_options(GString *out, const GOptionEntry *entries)
{
    for (const GOptionEntry *e = entries; e->long_name != NULL; e++) {
        if (e->flags & G_OPTION_FLAG_HIDDEN) continue;
        g_string_append(out, ".TP\n.B ");
        g_autofree char *names = e->short_name != 0
                                     ? g_strdup_printf("-%c, --%s", e->short_name, e->long_name)
                                     : g_strdup_printf("--%s", e->long_name);
        append_roff(out, names);
        if (e->arg_description != NULL)
            g_string_append_printf(out, " \\fI%s\\fR", e->arg_description);
        g_string_append_c(out, '\n');
        append_roff(out, e->description);
        g_string_append_c(out, '\n');
    }
}

static void
append_ends(GString *out)
{
    g_string_append(
        out,
        ".SH EXIT STATUS\n"
        "0 all good; 1 some inputs failed, each named on standard error, the rest done; "
        "2 wrong usage; 3 nothing could be done; 4 the library holds no answer.\n"
        ".SH ENVIRONMENT\n"
        "Each option has a variable: \\-\\-max\\-tokens is LODE_MAX_TOKENS. A flag wins over its "
        "variable, a variable over the configuration file. LODE_MODELS names the folder of models, "
        "LODE_CPU (scalar, avx2, avx512, avx512vnni) limits the instruction set, NO_COLOR turns "
        "colours off.\n"
        ".SH FILES\n"
        "$XDG_CONFIG_HOME/lode/config.ini: options as NAME = VALUE, under [lode] for every "
        "command or under [COMMAND] for one.\n");
}

static void
append_command_page(GString *out, const command *cmd)
{
    g_autofree gpointer args = g_malloc0(cmd->args_size);
    if (cmd->init != NULL) cmd->init(args);
    g_autofree GOptionEntry *own = cmd->entries(args);
    g_autofree GOptionEntry *common = cli_common_entries(args);
    g_autofree char *upper = g_ascii_strup(cmd->name, -1);
    g_string_append_printf(out, ".TH LODE\\-%s 1 \"\" \"lode %s\" \"User Commands\"\n", upper,
                           lode_version());
    g_string_append_printf(out, ".SH NAME\nlode\\-%s \\- %s\n.SH SYNOPSIS\n.B lode %s\n", cmd->name,
                           cmd->summary, cmd->name);
    append_roff(out, cmd->usage);
    g_string_append(out, "\n.SH DESCRIPTION\n");
    append_paragraphs(out, cmd->description);
    g_string_append(out, ".SH OPTIONS\n");
    append_options(out, own);
    append_options(out, common);
    if (cmd->examples != NULL) {
        g_string_append(out, ".SH EXAMPLES\n");
        append_paragraphs(out, cmd->examples);
    }
    append_ends(out);
}

static void
append_main_page(GString *out)
{
    size_t n = 0;
    const command *const *commands = cli_commands(&n);
    g_string_append_printf(out, ".TH LODE 1 \"\" \"lode %s\" \"User Commands\"\n", lode_version());
    g_string_append(
        out, ".SH NAME\nlode \\- mines scientific papers for answers\n.SH SYNOPSIS\n"
             ".B lode\n.I COMMAND\n[OPTIONS] [ARGUMENTS]\n.SH DESCRIPTION\n"
             "Turns PDFs into layout\\-aware text, keeps them in a library, and answers questions "
             "from it with every claim tied to a quote on a page.\n.SH COMMANDS\n");
    for (size_t i = 0; i < n; i++) {
        g_string_append_printf(out, ".TP\n.BR lode\\-%s (1)\n", commands[i]->name);
        append_roff(out, commands[i]->summary);
        g_string_append_c(out, '\n');
    }
    append_ends(out);
}

char *
cli_man_page(const command *cmd)
{
    g_autoptr(GString) out = g_string_new(NULL);
    if (cmd != NULL)
        append_command_page(out, cmd);
    else
        append_main_page(out);
    return g_string_free(g_steal_pointer(&out), FALSE);
}
