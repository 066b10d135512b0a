/* Exact search on a device of plain C (host_compute.h): the engine's part of it. */
#include "host_compute.h"
#include "search_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
every_rank_is_that_of_a_flat_index(void **state)
{
    (void)state;
    search_check(host_compute(), 3000, 48, 20, 100);
    search_check(host_compute(), 1000, 384, 300, 10); /* more queries than one call takes */
    search_check(host_compute(), 7, 3, 2, 20);        /* fewer vectors than are asked for */
    assert_int_equal(host_compute_n_live(), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rank_is_that_of_a_flat_index)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
