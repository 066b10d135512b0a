/* The library in one program: convert a paper, put it into a library, ask it a question.
 *
 *   cc -std=c99 ask.c $(pkg-config --cflags --libs lode) -o ask
 *   ./ask paper.pdf library/ "What did they find?"
 *
 * Quotes the sentences that answer; with models installed (lode model pull --default) it searches by meaning and
 * lets the writer answer: see the two lode_..._open calls. */
#include <lode/lode.h>

#include <stdio.h>
#include <string.h>

static int
fail(const char *what, const lode_error *error)
{
    fprintf(stderr, "%s: %s (%s)\n", what, error->message, lode_status_name(error->code));
    return 1;
}

static int
show_document(const char *path)
{
    lode_error error;
    lode_document *document = NULL;
    if (lode_convert_file(path, NULL, &document, &error) != LODE_OK) return fail("convert", &error);
    const char *title = lode_document_title(document);
    printf("title: %s\npages: %lu\n", title != NULL ? title : "(none)",
           (unsigned long)lode_document_n_pages(document));
    for (size_t i = 0; i < lode_document_n_blocks(document); i++) {
        const char *type = lode_document_block_type(document, i);
        if (strcmp(type, "heading") == 0)
            printf("%*s%s\n", 2 * lode_document_block_level(document, i), "",
                   lode_document_block_text(document, i));
    }
    char *markdown = lode_document_to_markdown(document);
    printf("markdown: %s\n", markdown != NULL && markdown[0] != '\0' ? "yes" : "no");
    lode_free(markdown);
    lode_document_free(document);
    return 0;
}

static void
show_answer(const lode_answer *answer)
{
    printf("%s\n", lode_answer_text(answer));
    for (size_t i = 0; i < lode_answer_n_citations(answer); i++)
        printf("[%d] %s, page %d: \"%s\"\n", lode_citation_number(answer, i),
               lode_citation_title(answer, i), lode_citation_page_number(answer, i),
               lode_citation_quote(answer, i));
}

static int
ask(const char *path, const char *dir, const char *question)
{
    lode_error error;
    lode_library *library = NULL;
    lode_embedder *embedder = NULL;
    lode_writer *writer = NULL;
    lode_answer *answer = NULL;
    lode_index_report report;
    lode_engine *engine = lode_engine_new(0);
    int code = 1;

    /* without these two models: full text only, and quotes instead of a written answer */
    lode_embedder_open(NULL, &embedder, &error);
    lode_writer_open(NULL, &writer, &error);

    if (lode_library_open(dir, LODE_LIBRARY_WRITE, embedder, engine, &library, &error) != LODE_OK)
        code = fail("open", &error);
    else if (lode_library_index(library, &path, 1, NULL, &report, &error) != LODE_OK)
        code = fail("index", &error);
    else if (lode_ask(library, writer, engine, question, NULL, &answer, &error) != LODE_OK)
        code = fail("ask", &error);
    else {
        show_answer(answer);
        code = lode_answer_get_status(answer) == LODE_ANSWER_INSUFFICIENT;
    }
    lode_answer_free(answer);
    lode_library_close(library);
    lode_writer_free(writer);
    lode_embedder_free(embedder);
    lode_engine_free(engine);
    return code;
}

int
main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: ask PAPER.pdf LIBRARY QUESTION (lode %s)\n", lode_version());
        return 2;
    }
    return show_document(argv[1]) != 0 || ask(argv[1], argv[2], argv[3]) != 0;
}
