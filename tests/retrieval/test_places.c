/* Where a chunk's text stands: packing, and finding a quote's block, characters and boxes. */
#include "support.h"

#include <string.h>

#include "retrieval/about.h"

static GArray *
random_places(GRand *rand, guint n)
{
    GArray *places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    uint32_t start = 0;
    for (guint i = 0; i < n; i++) {
        const float x = (float)g_rand_int_range(rand, 0, 9792) / 16.0f,
                    y = (float)g_rand_int_range(rand, -100, 12672) / 16.0f;
        retrieval_place place = {start,
                                 (uint32_t)g_rand_int_range(rand, 0, 200),
                                 g_rand_int_range(rand, -1, 10000),
                                 (uint32_t)g_rand_int_range(rand, 0, 5000),
                                 {g_rand_int_range(rand, 0, 2000), {x, y, x + 300.5f, y + 9.25f}},
                                 0,
                                 0};
        if (g_rand_int_range(rand, 0, 3) == 0) { /* a cell */
            place.block_start = 0;
            place.row = (uint32_t)g_rand_int_range(rand, 1, 100000);
            place.col = (uint32_t)g_rand_int_range(rand, 1, 5000);
        }
        start += place.len + (uint32_t)g_rand_int_range(rand, 0, 3);
        g_array_append_val(places, place);
    }
    return places;
}

static void
packed_places_come_back_unchanged(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    for (guint n = 0; n < 120; n++) {
        g_autoptr(GArray) places = random_places(rand, n / 3);
        g_autoptr(GPtrArray) lists = g_ptr_array_new();
        g_ptr_array_add(lists, places);
        const retrieval_frame of = retrieval_frame_of(lists);
        const retrieval_frame *frame = n % 3 == 0 ? NULL : &of; /* as schema 6 had them, else */
        const retrieval_place *last =
            places->len > 0 ? &g_array_index(places, retrieval_place, places->len - 1) : NULL;
        /* the last place ends the text, or does not */
        const size_t text_len = last ? last->start + last->len + (n % 3 == 2 ? 9 : 0) : 9;
        g_autoptr(GBytes) bytes = retrieval_pack_places(places, frame, text_len);
        g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
        gsize size = 0;
        const void *data = g_bytes_get_data(bytes, &size);
        assert_true(retrieval_unpack_places(data, size, frame, text_len, back));
        assert_int_equal(back->len, places->len);
        if (last)
            assert_memory_equal(back->data, places->data, places->len * sizeof(retrieval_place));
    }
}

/* Two lines of a paragraph on page 3, as they were packed until schema 5. */
static void
places_packed_with_all_their_numbers_are_read(void **state)
{
    (void)state;
    static const guint8 old[] = {0x04, 0x00, 0x0a, 0x0e, 0x00, 0x04, 0x80, 0x12,
                                 0x80, 0x12, 0x80, 0x75, 0xa0, 0x03, 0x02, 0x08,
                                 0x00, 0x02, 0x00, 0x00, 0xc0, 0x03, 0x00, 0x00};
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    assert_true(retrieval_unpack_places(old, sizeof old, NULL, 0, places));
    assert_int_equal(places->len, 2);
    static const retrieval_place wanted[] = {
        {0, 5, 7, 0, {2, {72, 72, 540, 85}}, 0, 0},
        {6, 4, 7, 6, {2, {72, 86, 540, 99}}, 0, 0},
    };
    assert_memory_equal(places->data, wanted, sizeof wanted);
    g_autoptr(GBytes) packed = retrieval_pack_places(places, NULL, 0);
    assert_true(g_bytes_get_size(packed) < sizeof old);
}

/* Lines of one width, one below the other: what differs is their length. */
static void
a_paragraph_takes_few_bytes(void **state)
{
    (void)state;
    enum { N = 30 };
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
    uint32_t start = 0;
    for (guint i = 0; i < N; i++) {
        const float y = 100.0f + 12.5f * (float)i;
        const retrieval_place place = {start, 60 + i % 7, 3, start, {1, {72, y, 540, y + 10}},
                                       0,     0};
        start += place.len + 1;
        g_array_append_val(places, place);
    }
    const retrieval_frame frame = {72 * 16, 100 * 16, 468 * 16, 160};
    g_autoptr(GBytes) bytes = retrieval_pack_places(places, &frame, start - 1);
    assert_in_range(g_bytes_get_size(bytes), N * 2, N * 3 + 20);
}

/* What a chunk's row says: of each kind with and without what most have not. */
static void
what_is_known_about_a_chunk_comes_back(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(8);
    const retrieval_frame frame = {1000, 700, 4000, 300};
    for (guint i = 0; i < 64; i++) {
        g_autoptr(GArray) places = random_places(rand, i % 5);
        g_autoptr(GBytes) calls = i & 8 ? g_bytes_new("\x02\x04\x06\x08", 4) : NULL;
        const retrieval_about about = {.type = i & 1 ? LAYOUT_BLOCK_TABLE : LAYOUT_BLOCK_PARAGRAPH,
                                       .first_block = i & 2 ? 20000 : LAYOUT_NONE,
                                       .last_block = i & 2 ? 20003 : LAYOUT_NONE,
                                       .first_page = i & 2 ? 7 : 0,
                                       .last_page = i & 2 ? 9 : 0,
                                       .page_label = i & 4 ? "xvii" : NULL,
                                       .calls = calls,
                                       .places = places};
        g_autoptr(GBytes) bytes = retrieval_pack_about(&about, &frame, 500);
        gsize size = 0;
        const guint8 *data = g_bytes_get_data(bytes, &size);
        g_auto(retrieval_about) back = {0};
        assert_true(retrieval_unpack_about(data, size, &frame, 500, &back));
        assert_int_equal(back.type, about.type);
        assert_int_equal(back.first_block, about.first_block);
        assert_int_equal(back.last_block, about.last_block);
        assert_int_equal(back.first_page, about.first_page);
        assert_int_equal(back.last_page, about.last_page);
        assert_true(g_strcmp0(back.page_label, about.page_label) == 0);
        assert_true(calls ? back.calls && g_bytes_equal(back.calls, calls) : !back.calls);
        assert_int_equal(back.places->len, places->len);
        for (gsize len = 0; len < size; len++) { /* cut short anywhere */
            g_auto(retrieval_about) cut = {0};
            g_autofree guint8 *copy = g_memdup2(data, len);
            assert_false(retrieval_unpack_about(copy, len, &frame, 500, &cut));
        }
    }
}

static void
a_plain_passage_needs_few_bytes(void **state)
{
    (void)state;
    const retrieval_place place = {0, 640, 12, 0, {4, {72, 72, 540, 720}}, 0, 0};
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof place);
    g_autoptr(GPtrArray) lists = g_ptr_array_new();
    g_array_append_val(places, place);
    g_ptr_array_add(lists, places);
    const retrieval_frame frame = retrieval_frame_of(lists);
    const retrieval_about about = {.type = LAYOUT_BLOCK_PARAGRAPH,
                                   .first_block = 12,
                                   .last_block = 12,
                                   .first_page = 4,
                                   .last_page = 4,
                                   .places = places};
    g_autoptr(GBytes) bytes = retrieval_pack_about(&about, &frame, 640);
    assert_in_range(g_bytes_get_size(bytes), 1, 4);
}

static void
damaged_places_never_leave_their_ranges(void **state)
{
    (void)state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    g_autoptr(GArray) places = random_places(rand, 20);
    const retrieval_frame frame = {1000, -20, 3, 1};
    g_autoptr(GBytes) bytes = retrieval_pack_places(places, &frame, 100000);
    gsize size = 0;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    guint n_refused = 0;
    for (guint i = 0; i < 3000; i++) {
        const gsize len = MIN(i, size);
        g_autofree guint8 *copy = g_memdup2(data, len);
        if (i >= size) copy[g_rand_int_range(rand, 0, (int)size)] = (guint8)g_rand_int(rand);
        g_autoptr(GArray) back = g_array_new(FALSE, FALSE, sizeof(retrieval_place));
        if (!retrieval_unpack_places(copy, len, &frame, 100000, back)) n_refused++;
        for (guint j = 0; j < back->len; j++) {
            const retrieval_place *place = &g_array_index(back, retrieval_place, j);
            assert_true(place->start <= G_MAXINT32 && place->len <= G_MAXINT32);
            assert_true(place->box.page >= 0 && place->block >= LAYOUT_NONE);
        }
    }
    assert_true(n_refused >= size); /* every truncated one, at least */
}

static void
a_quote_is_found_in_the_lines_that_print_it(void **state)
{
    (void)state;
    writer w = writer_start();
    writer_add(&w, LAYOUT_BLOCK_PARAGRAPH, 0,
               "The first line has sixty characters, exactly sixty of them, "
               "the second line has another sixty, it goes on to the end of "
               "the third line.");
    g_autoptr(lode_document) document = writer_finish(&w, "T", "00");
    g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
    const retrieval_chunk *chunk = chunks->pdata[0];
    const retrieval_hit hit = {.text = chunk->text, .places = chunk->places};

    const uint32_t start = (uint32_t)(strstr(chunk->text, "another") - chunk->text);
    g_autoptr(GArray) one = retrieval_hit_boxes_of(&hit, start, 7);
    assert_int_equal(one->len, 1);
    assert_memory_equal(one->data, &document->lines[1].box, sizeof(layout_box));
    g_autoptr(GArray) two = retrieval_hit_boxes_of(&hit, 50, 20);
    assert_int_equal(two->len, 2);
    g_autoptr(GArray) none = retrieval_hit_boxes_of(&hit, 60, 0);
    assert_int_equal(none->len, 0);
}

static void
a_cell_of_a_table_has_its_own_box(void **state)
{
    (void)state;
    for (guint32 seed = 0; seed < 30; seed++) {
        g_autoptr(lode_document) document = random_document(seed);
        g_autoptr(GPtrArray) chunks = retrieval_chunk_document(document, NULL);
        for (guint i = 0; i < chunks->len; i++) {
            const retrieval_chunk *chunk = chunks->pdata[i];
            if (chunk->type != LAYOUT_BLOCK_TABLE) continue;
            const retrieval_hit hit = {.text = chunk->text, .places = chunk->places};
            const layout_block *block = &document->blocks[chunk->last_block];
            if (block->type != LAYOUT_BLOCK_TABLE) block = &document->blocks[chunk->first_block];
            const layout_table *table = &document->tables[block->item];
            const char *rows = strstr(chunk->text, "\n\n") + 2; /* behind the caption */
            const layout_cell *cell = &document->cells[table->first_cell];
            g_autoptr(GArray) boxes = retrieval_hit_boxes_of(&hit, (uint32_t)(rows - chunk->text),
                                                             (uint32_t)strlen(cell->text));
            assert_int_equal(boxes->len, 1);
            assert_memory_equal(boxes->data, &cell->box, sizeof(layout_box));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed_places_come_back_unchanged),
        cmocka_unit_test(places_packed_with_all_their_numbers_are_read),
        cmocka_unit_test(a_paragraph_takes_few_bytes),
        cmocka_unit_test(what_is_known_about_a_chunk_comes_back),
        cmocka_unit_test(a_plain_passage_needs_few_bytes),
        cmocka_unit_test(damaged_places_never_leave_their_ranges),
        cmocka_unit_test(a_quote_is_found_in_the_lines_that_print_it),
        cmocka_unit_test(a_cell_of_a_table_has_its_own_box),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
