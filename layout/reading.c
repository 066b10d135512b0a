/* Reading pages, by one thread or several.
 *
 * Each reader has the file open for itself (a MuPDF context serves one thread) and takes the next page that
 * nobody has taken. What it makes of it waits in a ring until all pages before it are in:
 *
 *   readers   page i --parse_file_load_page, layout_sheet_boil--> ring[i % RING]
 *   caller    ring, in the order of pages --> sheets of work, fonts, warnings
 *
 * Nothing a reader does depends on which pages it was dealt before, but for two things that are settled when
 * a page is taken from the ring, by page: fonts are numbered, and warnings counted, where they first occur.
 * And for one that cannot be: when MuPDF finds a file damaged only while reading it, it rebuilds the file's
 * structure, and what comes after may look different. Such a file is read again, from the start, by one. */
#include "layout/reading.h"
#include "layout/scan.h"

#include <pthread.h> /* and not GLib's locks: ThreadSanitizer follows these */

#define MAX_READERS 64
#define RING_SHARE  4 /* pages in the ring for each reader */

typedef struct {
    layout_sheet *sheets[2]; /* the second of a page that is two; none: the page failed */
    GError *error;
    gboolean truncated, repaired;
    GArray *fonts;       /* layout_font that this reader had not met, in the order of its numbers */
    GPtrArray *warnings; /* likewise */
    guint reader;
} page_read;

typedef struct reading reading;

/* What one reader knows; touched by its own thread only. */
typedef struct {
    reading *shared;
    guint number;
    parse_file *file;
    gboolean own_file;
    layout_work *fonts; /* only its fonts and keep_hidden are used */
    parse_ocr *ocr;     /* NULL until a page needs it */
    GError *no_ocr;     /* why it is not to be had */
    guint n_fonts, n_warnings;
    pthread_t thread;
} reader;

struct reading {
    const char *path;
    parse_options limits;
    gboolean keep_hidden;
    layout_ocr_mode ocr;
    parse_ocr_options ocr_options;
    const int *pages; /* [n_pages]: indices of those to be read */
    guint n_pages, ring_size;
    page_read **ring; /* [ring_size] */
    pthread_mutex_t mutex;
    pthread_cond_t arrived, room;
    guint next, merged; /* into pages: to be dealt, to be merged */
    gboolean stop;
};

/* ---- one page ---- */

static void
page_read_free(page_read *page)
{
    if (page == NULL) return;
    layout_sheet_free(page->sheets[0]);
    layout_sheet_free(page->sheets[1]);
    g_clear_error(&page->error);
    g_array_unref(page->fonts);
    g_ptr_array_unref(page->warnings);
    g_free(page);
}

/* New fonts and warnings of the reader since its last page. */
static void
news_take(reader *r, page_read *page)
{
    guint n = 0;
    const char *const *warnings = parse_file_warnings(r->file, &n);
    for (guint i = MIN(r->n_warnings, n); i < n; i++)
        g_ptr_array_add(page->warnings, g_strdup(warnings[i]));
    r->n_warnings = n;
    for (; r->n_fonts < r->fonts->fonts->len; r->n_fonts++)
        layout_font_copy(page->fonts, layout_work_font(r->fonts, r->n_fonts));
}

/* ---- OCR ---- */

/* The reader's, made when the first page needs it; NULL where it is not to be had. */
static parse_ocr *
reader_ocr(reader *r, page_read *page)
{
    if (r->ocr == NULL && r->no_ocr == NULL)
        r->ocr = parse_ocr_new(&r->shared->ocr_options, &r->no_ocr);
    if (r->ocr == NULL)
        g_ptr_array_add(page->warnings,
                        g_strdup_printf("text in pictures is not read: %s", r->no_ocr->message));
    return r->ocr;
}

static parse_page *
page_recognize(reader *r, page_read *page, parse_page *primitives)
{
    layout_scan scan;
    layout_scan_judge(primitives, &scan);
    const gboolean force = r->shared->ocr == LAYOUT_OCR_FORCE;
    if (scan.verdict == LAYOUT_SCAN_NONE && !force) return primitives;
    parse_ocr *ocr = reader_ocr(r, page);
    if (ocr == NULL) return primitives;
    g_autoptr(GError) cause = NULL;
    parse_page *recognized = layout_scan_recognize(&scan, force, ocr, r->file, primitives, &cause);
    if (cause != NULL)
        g_ptr_array_add(page->warnings, g_strdup_printf("not recognised: %s", cause->message));
    if (recognized == NULL) return primitives;
    parse_page_free(primitives);
    return recognized;
}

static page_read *
page_make(reader *r, int index)
{
    page_read *page = g_new0(page_read, 1);
    page->reader = r->number;
    page->fonts = layout_fonts_new();
    page->warnings = g_ptr_array_new_with_free_func(g_free);
    parse_page *primitives = parse_file_load_page(r->file, index, &page->error);
    if (primitives != NULL && r->shared->ocr != LAYOUT_OCR_OFF)
        primitives = page_recognize(r, page, primitives);
    if (primitives != NULL) {
        page->truncated = primitives->truncated;
        layout_spread_boil(r->fonts, primitives, page->sheets);
    }
    parse_page_free(primitives);
    news_take(r, page);
    page->repaired = parse_file_metadata(r->file)->repaired;
    return page;
}

/* ---- readers ---- */

static void
reader_init(reader *r, reading *shared, guint number, parse_file *file)
{
    *r = (reader){.shared = shared, .number = number, .file = file, .own_file = file == NULL};
    r->fonts = layout_work_new();
    r->fonts->keep_hidden = shared->keep_hidden;
}

static void
reader_clear(reader *r)
{
    if (r->own_file) parse_file_free(r->file);
    layout_work_free(r->fonts);
    parse_ocr_free(r->ocr);
    g_clear_error(&r->no_ocr);
}

static void *
reader_main(void *data)
{
    reader *r = data;
    reading *shared = r->shared;
    /* where it cannot be opened once more, the other readers do this one's share */
    if (r->file == NULL) r->file = parse_file_open(shared->path, &shared->limits, NULL);
    while (r->file != NULL) {
        pthread_mutex_lock(&shared->mutex);
        while (!shared->stop && shared->next - shared->merged >= shared->ring_size)
            pthread_cond_wait(&shared->room, &shared->mutex);
        gboolean done = shared->stop || shared->next == shared->n_pages;
        guint at = done ? 0 : shared->next++;
        pthread_mutex_unlock(&shared->mutex);
        if (done) break;
        page_read *page = page_make(r, shared->pages[at]);
        pthread_mutex_lock(&shared->mutex);
        shared->ring[at % shared->ring_size] = page;
        pthread_cond_signal(&shared->arrived);
        pthread_mutex_unlock(&shared->mutex);
    }
    return NULL;
}

static page_read *
page_await(reading *shared, guint at)
{
    page_read **place = &shared->ring[at % shared->ring_size];
    pthread_mutex_lock(&shared->mutex);
    while (*place == NULL)
        pthread_cond_wait(&shared->arrived, &shared->mutex);
    page_read *page = *place;
    *place = NULL;
    shared->merged = at + 1;
    pthread_cond_broadcast(&shared->room);
    pthread_mutex_unlock(&shared->mutex);
    return page;
}

/* ---- merging ---- */

typedef struct {
    layout_work *work;
    GArray *numbers[MAX_READERS]; /* guint: a reader's font -> the document's */
    GPtrArray *warnings;
    GHashTable *warned; /* borrowed from warnings */
    GArray *truncated;  /* int: page indices */
    GError *first_failure;
    guint n_failed;
    gboolean was_repaired; /* before the first page */
    gboolean again;        /* repaired between pages */
} merge;

static void
merge_init(merge *m, layout_work *work)
{
    *m = (merge){.work = work};
    m->warnings = g_ptr_array_new_with_free_func(g_free);
    m->warned = g_hash_table_new(g_str_hash, g_str_equal);
    m->truncated = g_array_new(FALSE, FALSE, sizeof(int));
}

static void
merge_clear(merge *m)
{
    g_hash_table_unref(m->warned);
    g_ptr_array_unref(m->warnings);
    g_array_unref(m->truncated);
    g_clear_error(&m->first_failure);
}

static void
sheet_renumber(layout_sheet *sheet, const GArray *numbers)
{
    for (guint i = 0; i < sheet->styles->len; i++) {
        layout_style *style = layout_sheet_style(sheet, i);
        style->font = g_array_index(numbers, guint, style->font);
    }
    for (guint i = 0; i < sheet->segs->len; i++) {
        layout_seg *seg = layout_sheet_seg(sheet, i);
        if (seg->font < numbers->len) seg->font = g_array_index(numbers, guint, seg->font);
    }
    for (guint i = 0; i < sheet->marks->len; i++) {
        layout_mark *mark = &g_array_index(sheet->marks, layout_mark, i);
        mark->font = g_array_index(numbers, guint, mark->font);
    }
}

static void
warnings_merge(merge *m, const page_read *page)
{
    for (guint i = 0; i < page->warnings->len; i++) {
        char *text = page->warnings->pdata[i];
        if (m->warnings->len >= PARSE_MAX_WARNINGS || g_hash_table_contains(m->warned, text))
            continue;
        char *kept = g_strdup(text);
        g_ptr_array_add(m->warnings, kept);
        g_hash_table_add(m->warned, kept);
    }
}

static layout_sheet *
page_empty(layout_work *work)
{
    layout_sheet *sheet = layout_sheet_new(0);
    /* Letter size: nothing is known of this page but that it exists. */
    sheet->page_width = sheet->width = 612;
    sheet->page_height = sheet->height = 792;
    sheet->whole = (layout_rect){0, 0, 612, 792};
    sheet->source = LAYOUT_TEXT_NONE;
    layout_work_add_sheet(work, sheet);
    return sheet;
}

static void
page_merge(merge *m, page_read *page, int index)
{
    GArray *numbers = m->numbers[page->reader];
    for (guint i = 0; i < page->fonts->len; i++) {
        guint id = layout_font_adopt(m->work, &g_array_index(page->fonts, layout_font, i));
        g_array_append_val(numbers, id);
    }
    warnings_merge(m, page);
    /* Page indices are those of the file: pages skipped are there, but empty. */
    while (m->work->n_pages < (guint)index) {
        layout_work_release(m->work);
        page_empty(m->work)->skipped = TRUE;
    }
    layout_work_release(m->work);
    if (page->sheets[0] == NULL) {
        page_empty(m->work)->failure = g_strdup(page->error->message);
        m->n_failed++;
        if (m->first_failure == NULL) m->first_failure = g_steal_pointer(&page->error);
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(page->sheets) && page->sheets[i] != NULL; i++) {
        sheet_renumber(page->sheets[i], numbers);
        layout_work_add_sheet(m->work, g_steal_pointer(&page->sheets[i]));
    }
    if (page->truncated) g_array_append_val(m->truncated, index);
}

static void
warnings_add(const merge *m, layout_builder *builder)
{
    for (guint i = 0; i < m->truncated->len; i++) {
        int index = g_array_index(m->truncated, int, i);
        g_autofree char *message =
            g_strdup_printf("page %d: more was drawn than is kept", index + 1);
        layout_builder_add_warning(builder, index, message);
    }
    for (guint i = 0; i < m->warnings->len; i++)
        layout_builder_add_warning(builder, LAYOUT_NONE, m->warnings->pdata[i]);
}

/* ---- all of it ---- */

static gboolean
cancelled(const layout_options *options)
{
    return options->cancel != NULL && __atomic_load_n(options->cancel, __ATOMIC_RELAXED) != 0;
}

/* Takes the pages in their order; from is the one reader where there are no threads. */
static gboolean
pages_merge(merge *m, reading *shared, reader *from, const layout_options *options,
            const char *name, GError **error)
{
    for (guint i = 0; i < shared->n_pages; i++) {
        if (cancelled(options)) {
            g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_CANCELLED, "%s: cancelled at page %d",
                        name, shared->pages[i] + 1);
            return FALSE;
        }
        page_read *page = from != NULL ? page_make(from, shared->pages[i]) : page_await(shared, i);
        m->again = from == NULL && page->repaired && !m->was_repaired;
        if (m->again) {
            page_read_free(page);
            return TRUE;
        }
        page_merge(m, page, shared->pages[i]);
        page_read_free(page);
        if (options->progress != NULL)
            options->progress((int)i + 1, (int)shared->n_pages, options->user_data);
    }
    if (m->n_failed < shared->n_pages) return TRUE;
    layout_set_parse_error(error, m->first_failure);
    return FALSE;
}

/* Returns how many threads run; readers[0], the first of them, has the open file. */
static guint
readers_start(reader *readers, guint n)
{
    guint started = 0;
    if (n < 2) return 0;
    while (started < n &&
           pthread_create(&readers[started].thread, NULL, reader_main, &readers[started]) == 0)
        started++;
    return started;
}

static void
readers_join(reading *shared, reader *readers, guint n)
{
    pthread_mutex_lock(&shared->mutex);
    shared->stop = TRUE;
    pthread_cond_broadcast(&shared->room);
    pthread_mutex_unlock(&shared->mutex);
    for (guint i = 0; i < n; i++)
        pthread_join(readers[i].thread, NULL);
}

static gboolean
readers_run(merge *m, reading *shared, parse_file *file, guint n, const layout_options *options,
            GError **error)
{
    g_autofree reader *readers = g_new0(reader, n);
    for (guint i = 0; i < n; i++) {
        reader_init(&readers[i], shared, i, i == 0 ? file : NULL);
        m->numbers[i] = g_array_new(FALSE, FALSE, sizeof(guint));
    }
    shared->ring_size = n * RING_SHARE;
    shared->ring = g_new0(page_read *, shared->ring_size);
    shared->next = shared->merged = 0;
    shared->stop = FALSE;
    m->was_repaired = parse_file_metadata(file)->repaired;
    guint started = readers_start(readers, n);
    gboolean ok = pages_merge(m, shared, started == 0 ? &readers[0] : NULL, options,
                              parse_file_name(file), error);
    readers_join(shared, readers, started);
    for (guint i = 0; i < shared->ring_size; i++)
        page_read_free(shared->ring[i]);
    g_free(shared->ring);
    for (guint i = 0; i < n; i++) {
        reader_clear(&readers[i]);
        g_array_unref(m->numbers[i]);
    }
    return ok;
}

/* The pages that the options name, as indices; NULL where the file has none of them. */
static int *
pages_wanted(const layout_options *options, layout_builder *builder, int n, guint *n_wanted)
{
    const layout_page_range all = {1, 0};
    const gboolean some = options->n_ranges > 0;
    const layout_page_range *ranges = some ? options->ranges : &all;
    g_autofree gboolean *wanted = g_new0(gboolean, (gsize)n);
    guint k = 0;
    for (guint r = 0; r < (some ? options->n_ranges : 1); r++) {
        const int last = ranges[r].last > 0 ? MIN(ranges[r].last, n) : n;
        if (ranges[r].first > n) {
            g_autofree char *message =
                g_strdup_printf("no page %d, the file has %d", ranges[r].first, n);
            layout_builder_add_warning(builder, LAYOUT_NONE, message);
        }
        for (int i = MAX(ranges[r].first, 1) - 1; i < last; i++)
            wanted[i] = TRUE;
    }
    int *pages = g_new(int, (gsize)n);
    for (int i = 0; i < n; i++)
        if (wanted[i]) pages[k++] = i;
    *n_wanted = k;
    if (k == 0) g_clear_pointer(&pages, g_free);
    return pages;
}

/* Once more from the start, by one thread. */
static gboolean
read_again(merge *m, reading *shared, const layout_options *options, int n_pages, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(parse_file) file = parse_file_open(shared->path, &shared->limits, &cause);
    layout_work *work = m->work;
    merge_clear(m);
    merge_init(m, work);
    layout_work_forget_sheets(work);
    if (file == NULL) {
        layout_set_parse_error(error, cause);
        return FALSE;
    }
    if (parse_file_n_pages(file) == n_pages) return readers_run(m, shared, file, 1, options, error);
    g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_IO, "%s: changed while it was read",
                parse_file_name(file));
    return FALSE;
}

gboolean
layout_pages_read(layout_work *work, layout_builder *builder, parse_file *file, const char *path,
                  const layout_options *options, GError **error)
{
    const int n = parse_file_n_pages(file);
    reading shared = {.path = path,
                      .limits = layout_parse_options(options),
                      .keep_hidden = options->keep_hidden,
                      .ocr = options->ocr,
                      .ocr_options = {.languages = options->ocr_languages,
                                      .store = options->ocr_store,
                                      .cancel = options->cancel}};
    g_autofree int *pages = pages_wanted(options, builder, n, &shared.n_pages);
    if (pages == NULL) {
        g_set_error(error, LAYOUT_ERROR, LAYOUT_ERROR_FORMAT, "%s: no page %d, the file has %d",
                    parse_file_name(file), options->ranges[0].first, n);
        return FALSE;
    }
    shared.pages = pages;
    pthread_mutex_init(&shared.mutex, NULL);
    pthread_cond_init(&shared.arrived, NULL);
    pthread_cond_init(&shared.room, NULL);
    guint n_readers = CLAMP(options->n_threads, 1, MAX_READERS);
    merge m;
    merge_init(&m, work);
    gboolean ok = readers_run(&m, &shared, file, MIN(n_readers, shared.n_pages), options, error);
    if (m.again) ok = read_again(&m, &shared, options, n, error);
    if (ok) warnings_add(&m, builder);
    merge_clear(&m);
    pthread_cond_destroy(&shared.room);
    pthread_cond_destroy(&shared.arrived);
    pthread_mutex_destroy(&shared.mutex);
    return ok;
}
