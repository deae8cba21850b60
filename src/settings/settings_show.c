/* Shows the settings: what each is set to, in app.ini's words, and where that came from.
 * Not how values get in; that is settings.c.
 * SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "settings/settings.h"

enum { NAME_BYTES = 64, LIST_BYTES = 64 * 1024 };

/* Names in a file are written with _. */
static const char *ini_name(const char *name, char room[NAME_BYTES])
{
    size_t i;

    (void)snprintf(room, NAME_BYTES, "%s", name); /* those of the table are short */
    for (i = 0; room[i] != '\0'; i++)
        if (room[i] == '-')
            room[i] = '_';
    return room;
}

static const char *origin_text(enum setting_source source, const char *place)
{
    switch (source) {
    case SETTING_BY_INI:
        return place;
    case SETTING_BY_ENVIRONMENT:
        return "environment";
    case SETTING_BY_FLAG:
        return "flag";
    case SETTING_BY_DEFAULT:
        break;
    }
    return "default";
}

/* "a, b". returns NULL where there is none, or memory ran out */
static const char *join(const struct setting_value *value, struct mw_buffer *room)
{
    size_t i;

    for (i = 0; i < value->text_count; i++)
        (void)mw_buffer_printf(room, "%s%s", i > 0 ? ", " : "", value->texts[i]); /* errors stick and are looked at once */
    (void)mw_buffer_append_byte(room, 0);
    return value->text_count == 0 || room->error ? NULL : (const char *)room->data;
}

static void show_setting(const struct settings *s, enum setting which,
                         void (*each)(void *context, const mw_setting_state *state), void *context)
{
    const mw_setting *row = mw_server_setting_at(which);
    const struct setting_value *value = &s->values[which];
    bool is_set = settings_is_set(s, which);
    char name[NAME_BYTES], number[32];
    struct mw_buffer list;
    const char *text = row->default_value;

    mw_buffer_init(&list, LIST_BYTES);
    (void)snprintf(number, sizeof number, "%" PRId64, value->number);
    if (is_set && row->kind == MW_SETTING_NUMBER)
        text = number;
    else if (is_set && row->kind == MW_SETTING_FLAG)
        text = value->flag ? "yes" : "no";
    else if (is_set)
        text = join(value, &list);
    each(context, &(mw_setting_state){.section = "server",
                                      .name = ini_name(row->name, name),
                                      .value = text,
                                      .origin = origin_text(value->source, value->place)});
    mw_buffer_clear(&list);
}

static void show_limit(const struct settings *s, enum edge_limit which,
                       void (*each)(void *context, const mw_setting_state *state), void *context)
{
    const struct edge_limit_info *info = edge_limit_info(which);
    const char *origin = origin_text(s->limit_origins[which].source, s->limit_origins[which].place);
    char number[32];

    if (info->least == info->most)
        return; /* a counter that cannot be set is no setting */
    if (s->limit_origins[which].source == SETTING_BY_DEFAULT && s->limits.value[which] != info->value)
        origin = "follows from messages_per_s"; /* settings_settle */
    (void)snprintf(number, sizeof number, "%" PRIu64, s->limits.value[which]);
    each(context,
         &(mw_setting_state){.section = "limits", .name = info->name, .value = number, .origin = origin});
}

void settings_each(const struct settings *s, void (*each)(void *context, const mw_setting_state *state), void *context)
{
    int i;

    for (i = 0; i < SETTING_COUNT; i++)
        if (i != SETTING_LIMIT && !settings_is_short((enum setting)i))
            show_setting(s, (enum setting)i, each, context);
    for (i = 0; i < EDGE_LIMIT_COUNT; i++)
        show_limit(s, (enum edge_limit)i, each, context);
}
