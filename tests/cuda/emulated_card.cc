#include "emulated_card.h"

#include "engine/cuda/device.h"

void
emulated_card_reset(size_t n_bytes)
{
    emulation_machine machine = emulation_machine_default();

    machine.memory = n_bytes;
    emulation_reset(&machine);
}

void
emulated_card_without_cublas(int missing)
{
    emulation_without_cublas(missing != 0);
}
