/* From passage to passage by names, and which pages are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "search/search.h"

static const char QUESTION[] = "What team was Anna Benson's husband on?";

/* The first round of a question whose answer stands on a page that does not have its words. */
static search_trail *
first_round(void)
{
    search_trail *trail = search_trail_new(QUESTION);
    search_trail_see(trail, 0, "anna", "Anna Benson",
                     "Anna Benson, born on February 12, 1976, is the wife of Kris Benson, her "
                     "husband since 1999.",
                     1);
    search_trail_see(trail, 0, "saints", "New Orleans Saints",
                     "The team was sold to Tom Benson in May 1985.", 2);
    search_trail_see(trail, 0, "other", "Basketball", "A team has five players.", 3);
    return trail;
}

static const search_hop *
find_hop(const GPtrArray *hops, const char *name)
{
    for (guint i = 0; i < hops->len; i++)
        if (strcmp(((const search_hop *)hops->pdata[i])->name, name) == 0) return hops->pdata[i];
    return NULL;
}

static void
a_name_in_the_best_passage_leads_on(void **state)
{
    (void)state;
    g_autoptr(search_trail) trail = first_round();
    g_autoptr(GPtrArray) hops = search_trail_next(trail, 8);
    const search_hop *hop = find_hop(hops, "Kris Benson");
    assert_non_null(hop);
    assert_int_equal(hop->from, 0);
    assert_non_null(strstr(hop->query, "team")); /* still open */
    assert_null(strstr(hop->query, "husband"));  /* covered */
    assert_null(find_hop(hops, "February 12"));  /* a date leads nowhere */
    assert_null(find_hop(hops, "Anna Benson"));  /* the question has it already */
}

static void
the_page_of_the_name_is_worth_more_than_a_page_that_has_it(void **state)
{
    (void)state;
    g_autoptr(search_trail) trail = first_round();
    g_autoptr(GPtrArray) hops = search_trail_next(trail, 8);
    const search_hop *hop = find_hop(hops, "Kris Benson");
    guint list = search_trail_see(trail, hop->step, "list", "Pitchers", "Kris Benson was one.", 1);
    guint page = search_trail_see(trail, hop->step, "kris", "Kris Benson",
                                  "He pitched for the team of Pittsburgh.", 2);
    guint stranger = search_trail_see(trail, hop->step, "x", "Team", "Ann Benson has a team.", 3);
    g_autoptr(GPtrArray) last = search_trail_next(trail, 0);
    assert_true(search_trail_score(trail, page) > search_trail_score(trail, list));
    assert_true(search_trail_score(trail, stranger) == 0); /* it lacks the name */
    assert_int_equal(last->len, 0);
    g_autoptr(GArray) order = search_trail_rank(trail);
    assert_int_equal(order->len, 6);
    for (guint i = 1; i < order->len; i++)
        assert_true(search_trail_score(trail, g_array_index(order, guint, i - 1)) >=
                    search_trail_score(trail, g_array_index(order, guint, i)));
}

static void
no_name_is_followed_twice(void **state)
{
    (void)state;
    g_autoptr(search_trail) trail = first_round();
    g_autoptr(GPtrArray) first = search_trail_next(trail, 20);
    const search_hop *hop = find_hop(first, "Kris Benson");
    search_trail_see(trail, hop->step, "anna", "Anna Benson", "The wife of Kris Benson.", 1);
    search_trail_see(trail, hop->step, "kris", "Kris Benson", "Kris Benson met Anna Benson.", 2);
    g_autoptr(GPtrArray) second = search_trail_next(trail, 20);
    assert_null(find_hop(second, "Kris Benson"));
}

static void
an_empty_trail_ends(void **state)
{
    (void)state;
    g_autoptr(search_trail) trail = search_trail_new("");
    g_autoptr(GPtrArray) hops = search_trail_next(trail, 8);
    g_autoptr(GArray) order = search_trail_rank(trail);
    assert_int_equal(hops->len, 0);
    assert_int_equal(order->len, 0);
}

static void
the_name_that_answers_is_not_the_questions(void **state)
{
    (void)state;
    g_autofree char *who = search_answer_name(
        "Who directed the film Vertigo?",
        "Vertigo is a 1958 American film that Alfred Hitchcock directed.", "Vertigo (film)");
    assert_string_equal(who, "Alfred Hitchcock");
    g_autofree char *title =
        search_answer_name("Which film came first?", "it was the first of them.", "Vertigo");
    assert_string_equal(title, "Vertigo");
    assert_null(search_answer_name("Who is Ann?", "nobody knows.", "Ann"));
    g_autofree char *party = search_answer_name(
        "Which party has led longest?",
        "Politically, the island is calm. However, the Harbour League won every vote.", NULL);
    assert_string_equal(party, "Harbour League");
    g_autofree char *island =
        search_answer_name("Which island is calm?", "Sicily, as it was, is calm.", NULL);
    assert_string_equal(island, "Sicily");
}

/* ---- choosing pages ---- */

static void
add_hit(GPtrArray *hits, const char *url, const char *title, const char *snippet)
{
    search_hit *hit = g_new0(search_hit, 1);
    hit->url = g_strdup(url);
    hit->title = g_strdup(title);
    hit->snippet = g_strdup(snippet);
    hit->rank = hits->len + 1;
    g_ptr_array_add(hits, hit);
}

static void
pages_with_the_words_are_read_first(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func((GDestroyNotify)search_hit_free);
    add_hit(hits, "https://a.example/1", "Cooking", "All about soup.");
    add_hit(hits, "https://b.example/1", "Graphene on copper", "Graphene grown on copper foil.");
    g_autoptr(GArray) order = search_hits_select(hits, "Who grew graphene on copper?");
    assert_int_equal(order->len, 2);
    assert_int_equal(g_array_index(order, guint, 0), 1);
}

static void
one_host_does_not_fill_the_list(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) hits = g_ptr_array_new_with_free_func((GDestroyNotify)search_hit_free);
    for (int i = 0; i < 4; i++) {
        g_autofree char *url = g_strdup_printf("https://a.example/%d", i);
        add_hit(hits, url, "Graphene on copper", NULL);
    }
    add_hit(hits, "https://b.example/", "Soup", NULL);
    g_autoptr(GArray) order = search_hits_select(hits, "graphene on copper");
    assert_int_equal(order->len, 5);
    assert_int_equal(g_array_index(order, guint, 2), 4);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_in_the_best_passage_leads_on),
        cmocka_unit_test(the_page_of_the_name_is_worth_more_than_a_page_that_has_it),
        cmocka_unit_test(no_name_is_followed_twice),
        cmocka_unit_test(an_empty_trail_ends),
        cmocka_unit_test(the_name_that_answers_is_not_the_questions),
        cmocka_unit_test(pages_with_the_words_are_read_first),
        cmocka_unit_test(one_host_does_not_fill_the_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
