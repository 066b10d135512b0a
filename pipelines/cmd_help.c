/* lode help [COMMAND] */
#include "pipelines/cli.h"

#include <string.h>

typedef struct {
    common_args common;
    gboolean man;
} help_args;

static GOptionEntry *
help_entries(gpointer data)
{
    help_args *args = data;
    const GOptionEntry entries[] = {
        {"man", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &args->man, "The manual page, as roff",
         NULL},
        G_OPTION_ENTRY_NULL,
    };
    return g_memdup2(entries, sizeof entries);
}

static void
print_overview(void)
{
    size_t n = 0;
    const command *const *commands = cli_commands(&n);
    cli_print("Usage: lode COMMAND [OPTIONS] [ARGUMENTS]\n\n"
              "Turns PDFs into layout-aware text, keeps them in a library, and answers questions "
              "from it\n"
              "with every claim tied to a quote on a page.\n\nCommands:\n");
    for (size_t i = 0; i < n; i++)
        cli_print("  %-12s %s\n", commands[i]->name, commands[i]->summary);
    cli_print(
        "\n  lode help COMMAND   options and examples of one command\n"
        "  lode --version      the version\n\n"
        "Exit codes: 0 all good, 1 some inputs failed, 2 wrong usage, 3 nothing could be done,\n"
        "4 the library holds no answer.\n");
}

static int
run_help(gpointer data, char **operands, int n_operands)
{
    const help_args *args = data;
    if (n_operands > 1) return cli_usage_error("help", "one command at a time");
    const command *cmd = NULL;
    if (n_operands == 1 && (cmd = cli_find_command(operands[0])) == NULL)
        return cli_usage_error(NULL, "%s: no such command", operands[0]);
    if (args->man) {
        g_autofree char *page = cli_man_page(cmd);
        cli_write(page, strlen(page));
    } else if (cmd != NULL) {
        g_autofree char *text = cli_help_text(cmd);
        cli_write(text, strlen(text));
    } else {
        print_overview();
    }
    return EXIT_ALL_GOOD;
}

const command cmd_help = {
    .name = "help",
    .summary = "explain a command",
    .usage = "[COMMAND]",
    .description =
        "Without COMMAND: what lode can do. With it: its options, their defaults, and examples.",
    .args_size = sizeof(help_args),
    .entries = help_entries,
    .run = run_help,
};
