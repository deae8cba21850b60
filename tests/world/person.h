/* The inside of a person, shared by people.c and person_hears.c.
 * SPDX-License-Identifier: MIT */
#ifndef WORLD_PERSON_H
#define WORLD_PERSON_H

#include "codec/websocket.h"
#include "people.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
enum { NAMES = 3, ASKED = 64, OUTBOX_BYTES = 1 << 14, INBOX_BYTES = 1 << 17, STEP_BYTES = 1 << 16 };

extern const char *const person_names[NAMES];
enum { LEVEL, NOTE, COUNTED };

enum kind { VISITOR, OPERATOR, GUEST /* logs in by word */, READER, VANDAL, KINDS };
enum asked_for { GET, SET, WATCH, UNWATCH, CALL, LOGIN, RIGHTS, BATCH };

struct asked {
    int64_t id;
    enum asked_for what;
    unsigned names; /* bits */
    bool with_secret;
};

struct watched {
    bool is_on;       /* the server said so */
    bool may_come;    /* asked for, or not yet known to have ended */
    int64_t revision; /* the last that was told; 0: none */
    int64_t news;     /* the last of a `changed`, which tells each once */
    char value[64];   /* as JSON */
};

struct person {
    struct world *w;
    struct chance *chance;
    int number;
    enum kind kind;
    struct kernel_socket *socket; /* NULL: away */
    bool is_slow, has_settled;
    /* of this connection */
    bool is_open /* upgraded */, was_greeted, is_closed /* by word */, is_operator, may_note, is_leaving, has_finished /* says no more, and still listens */;
    uint8_t *out, *in;
    size_t out_count, in_count;
    struct websocket_limits limits;
    struct websocket_decoder decoder;
    struct asked asked[ASKED];
    size_t asked_count;
    int64_t next_id, next_news;
    struct watched watched[NAMES];
    size_t files_asked;
    const char *wanted[8]; /* of a reader: what the next answers hold; NULL: any */
};

/* Say what is wrong with what was received. */
void person_complain(struct person *p, const char *what, const char *text, size_t byte_count);
/* Judge one message of the protocol. */
void person_hear_message(struct person *p, const char *text, size_t byte_count);

#endif
