/* The program: finds the command, parses its options, runs it. */
#include "pipelines/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const command *const COMMANDS[] = {&cmd_convert, &cmd_index,  &cmd_library,      &cmd_ask,
                                          &cmd_chat,    &cmd_search, &cmd_fetch_papers, &cmd_verify,
                                          &cmd_replay,  &cmd_eval,   &cmd_generate,     &cmd_model,
                                          &cmd_bench,   &cmd_doctor, &cmd_help};

const command *const *
cli_commands(size_t *n)
{
    *n = G_N_ELEMENTS(COMMANDS);
    return COMMANDS;
}

const command *
cli_find_command(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(COMMANDS); i++)
        if (strcmp(COMMANDS[i]->name, name) == 0) return COMMANDS[i];
    return NULL;
}

static int
run_command(const command *cmd, int argc, char **argv)
{
    gpointer args = g_malloc0(cmd->args_size);
    if (cmd->init != NULL) cmd->init(args);
    g_auto(GStrv) operands = NULL;
    int code = cli_parse(cmd, args, argc, argv, &operands);
    if (code < 0) code = cli_finish(cmd->run(args, operands, (int)g_strv_length(operands)));
    cli_args_free(cmd, args);
    return code;
}

int
main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "__worker") == 0)
        return pipelines_worker_main(argc - 1, argv + 1);
    setlocale(LC_CTYPE,
              ""); /* file names as the user's terminal spells them; numbers stay as they are */
    cli_install_signals();
    if (argc < 2) return cli_usage_error(NULL, "which command?");
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        cli_print("lode %s\n", lode_version());
        return cli_finish(EXIT_ALL_GOOD);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    const command *cmd = cli_find_command(name);
    if (cmd == NULL) return cli_usage_error(NULL, "%s: no such command", name);
    return run_command(cmd, argc - 1, argv + 1);
}
