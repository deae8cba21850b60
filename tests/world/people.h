/* Those who use the server of a world: each knows what it asked for, and what it may be told.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_PEOPLE_H
#define WORLD_PEOPLE_H

#include "world.h"

enum { PEOPLE = 12 };

struct person;
struct person *person_new(struct world *w, int number); /* chance says who */
void person_free(struct person *p);
/* Do the next thing: come, ask, read, read slowly, go. */
void person_act(struct person *p);
/* From now on: come no more, ask for nothing new, read all there is. */
void person_settle(struct person *p);
/* After all was read: is everything answered, and is the newest known? */
void person_judge(struct person *p);
#endif
