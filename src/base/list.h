/* Intrusive doubly linked list: the link lies in the element, unlinking needs no list.
 * SPDX-License-Identifier: MIT */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct mw_link {
    struct mw_link *next, *previous; /* both NULL: in no list */
};
struct mw_list {
    struct mw_link head; /* circular through the head */
};

#define MW_CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void mw_list_init(struct mw_list *list)
{
    list->head.next = list->head.previous = &list->head;
}
static inline bool mw_list_is_empty(const struct mw_list *list)
{
    return list->head.next == &list->head;
}
static inline bool mw_link_is_linked(const struct mw_link *link)
{
    return link->next != NULL;
}
static inline void mw_link_remove(struct mw_link *link)
{
    if (!link->next)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = NULL;
}
static inline void mw_list_push_back(struct mw_list *list, struct mw_link *link)
{
    link->next = &list->head;
    link->previous = list->head.previous;
    list->head.previous->next = link;
    list->head.previous = link;
}
static inline void mw_list_push_front(struct mw_list *list, struct mw_link *link)
{
    link->previous = &list->head;
    link->next = list->head.next;
    list->head.next->previous = link;
    list->head.next = link;
}
static inline struct mw_link *mw_list_pop_front(struct mw_list *list)
{
    struct mw_link *first = list->head.next;

    if (first == &list->head)
        return NULL;
    mw_link_remove(first);
    return first;
}

#endif
