/* Exact search on the emulated card. */
#include "emulated_card.h"
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
    emulated_card_fresh();
    search_check(lode_cuda_compute_get(), 600, 48, 12, 20);
    search_check(lode_cuda_compute_get(), 7, 4, 2, 20); /* fewer vectors than are asked for */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rank_is_that_of_a_flat_index)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
