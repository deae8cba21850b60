/* F10 and F11: a whole server under a kernel of our own, with a dozen clients who log in, watch, set, call, read slowly and vandalize; bytes choose
 * who does what, what is cut where, what fails and in which order, and after them a seed. Oracle: whoever receives a word judges it
 * (tests/world/person_hears.c); in the end nothing is open and no memory is left.
 * room: world
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t byte_count);

static struct world world;

static void clean_up(void)
{
    world_clean_up(&world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t byte_count)
{
    if (!world.folder[0]) {
        world_prepare(&world);
        (void)atexit(clean_up);
    }
    world_run(&world, (struct chance){.state = byte_count, .bytes = data, .left = byte_count}, WORLD_STEPS_FEW);
    if (world.wrong[0]) {
        fprintf(stderr, "%s\n", world.wrong);
        abort();
    }
    return 0;
}
