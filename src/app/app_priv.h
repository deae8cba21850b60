/* What the files of this room share: apps, their instances, clients, audiences, watches.
 * Not the seam to the server; that is mount.h. Read next: app.c, instance.c, client.c, protocol.c.
 * SPDX-License-Identifier: MIT */
#ifndef APP_APP_PRIV_H
#define APP_APP_PRIV_H

#include <meshwork/json.h>

#include <stdatomic.h>

#include "app/denials.h"
#include "app/mount.h"
#include "base/list.h"

#define APP_NAME_BYTES 256               /* of a name on the wire */
#define APP_WORK_MANY 32                 /* steps: fewer are not told of */
#define APP_WORK_BYTES 256               /* of a message, read in the time in which a name is looked up */
#define APP_HELLO_RIGHTS 1000            /* names in a rights map; above it is null */
#define APP_HELD_MESSAGES 64             /* sent to a client by its own `connect`, before hello */
#define APP_LINGER_NS INT64_C(60000000000) /* a user's instance waits so long for the user to come back */
#define APP_AUDIENCES_KEPT 64            /* of one instance, those included that nobody has */
#define APP_ANONYMOUS "anonymous"        /* the role of who has not logged in */
#define APP_LATER_CALLS 256              /* of one client that wait for their answers */
#define APP_TURN_INSTANCES 256           /* those of an app that have their turn in one of it; further ones have it in the next */
#define APP_UNSET INT64_C(-1)            /* of a deadline: counted from the next turn */

/* A role: which policies its holders have. NULL among the policies stands for the attributes' own marks. */
struct role {
    char *name;
    const mw_policy **policies;
    size_t policy_count;
    unsigned grants;          /* enum app_grant bits */
};

/* The policies of an app, and the roles that name them. */
struct role_table {
    mw_policy **policies;     /* owned: the file's, then those declared in C */
    size_t policy_count;
    struct role *roles;       /* `anonymous` is always among them */
    size_t role_count;
};

/* Buffers that one request, or one pass, prints into. A callback in the middle may need a set of its own, so
 * sets are pooled and not a single one. */
struct scratch {
    struct mw_link link;
    struct mw_buffer out;     /* the message that leaves */
    struct mw_buffer revs;    /* members of "revs" ... */
    struct mw_buffer errors;  /* ... of "errors" ... */
    struct mw_buffer details; /* ... of "details" ... */
    struct mw_buffer decisions; /* ... and of "decisions", gathered while the values print */
    struct mw_buffer reads;   /* struct watch_read: what the answer to a watch tells */
    struct mw_error why;      /* of the request that failed; here, because clearing one costs more than parsing does */
    struct mw_error reason;   /* of the name that was refused */
};

/* What the apps of several threads share that stand for one; or one app that stands for itself. */
struct app_together {
    struct denials denials;   /* the last ones */
    atomic_size_t watches;
};

struct app {
    char *name;
    mw_app descriptor;        /* a copy: what an older back end does not have is zero */
    struct app_options options; /* its policies are not used after open */
    size_t answer_bytes;      /* longest answer */
    struct role_table roles;
    uint64_t roles_generation; /* grows when they are made anew */
    struct mw_buffer key_text; /* every attribute's name as JSON, with its colon */
    size_t *key_at;           /* where each begins, and where the last ends */
    struct mw_list instances;
    struct mw_list ready;     /* instances with something to do in the next turn */
    struct mw_list ticking;   /* instances by tick_due_ns */
    struct mw_list sleeping;  /* instances whose meshes have something due later, by mesh_due_ns */
    struct mw_list lingering; /* instances without clients by linger_due_ns */
    struct mw_list scratch;   /* pooled */
    struct app_stats stats;
    struct rpc_call *call;    /* whose command runs; NULL: none */
    struct app_together *together; /* options.together, or its own */
    uint64_t receive_failures, tick_failures, getter_failures, publish_failures; /* logged at 1, 2, 4, 8 ... */
    int64_t now_ns;           /* of this turn */
    atomic_bool has_posts;    /* something was posted to a tasklet of an instance that slept */
    bool is_woken;            /* wake was called and no turn came since */
    bool is_ending;
    bool refuses_watches;     /* app_refuse_watches */
};

/* Those clients of an instance that have the same roles. */
struct audience {
    struct mw_link link;      /* in the instance's audiences */
    size_t client_count;
    mw_value roles;           /* names: sorted, each once; empty: who has yet to log in */
    const mw_policy **policies; /* of all its roles, each once; the app's */
    size_t policy_count;
    mw_view view;             /* of nobody in particular: client_view has the user too */
    unsigned grants;          /* of all its roles: enum app_grant bits */
    bool asks;                /* a policy has predicates: what one client may, another may not */
    bool is_made;
    uint64_t stamp;           /* of the view when rights was printed, ... */
    uint64_t exposures;       /* ... of the instance's tasklets ... */
    uint64_t generation;      /* ... and of the app's roles */
    mw_value rights;          /* the rights map as JSON text */
};

/* A tasklet that front ends may send to, in mw_instance.tasklets by name. */
struct exposed_tasklet {
    mw_tasklet *tasklet;      /* borrowed from the back end */
    const char *doc;          /* NULL: none */
    char text[];              /* of doc */
};

/* An attribute that somebody may watch. */
struct slot {
    struct mw_link link;      /* in the instance's watched_slots while it has watchers */
    struct mw_list watchers;  /* struct watch; initialised with the first */
    size_t each_count;        /* of the watchers, those who want to be told of each change */
    int64_t revision;         /* that the watchers were told of, or are about to be; 0: some have yet to be told */
};

struct mw_instance {
    struct mw_link link, ready_link, tick_link, sleep_link, linger_link;
    struct app *app;
    void *state;
    mw_scheduler *mesh;
    mw_exposable *exposable;
    mw_tasklet *tick;         /* NULL: no tick */
    int64_t tick_due_ns, mesh_due_ns, linger_due_ns;
    int64_t watch_due_ns;     /* when a watch that waits for its interval is due, or one must be looked at again; MW_FOREVER: never */
    char *user;               /* of MW_INSTANCE_PER_USER, else NULL */
    char epoch[17];
    struct mw_list audiences;
    size_t audience_count;
    struct mw_list clients;
    size_t client_count;
    mw_value tasklets;        /* the exposed ones: a map of opaque struct exposed_tasklet */
    uint64_t exposures;       /* grows when one comes or goes */
    struct slot *slots;       /* one per attribute */
    struct mw_list watched_slots;
    struct mw_list pending;   /* clients with dirty watches */
    struct mw_list calls;     /* that are answered later */
    struct keys *keys;        /* answers remembered for idempotency keys; NULL: none yet */
    mw_address *publications; /* of the tasklet that takes what mw_publish says; NULL: there are no attributes */
    atomic_bool is_posted;    /* something was posted to a tasklet of it while its mesh slept */
    unsigned pins;            /* calls that are inside; it is freed when the last leaves */
    bool is_telling;          /* there was no room for all who are to be told of what was found changed */
    bool is_open;             /* `open` succeeded, so `close` is owed */
    bool is_orphan;           /* ends when its pins are gone */
};

/* How a client wants to be told. */
struct watch_manner {
    bool is_all;              /* each change, whatever the reader's speed; else only the newest of a slow one */
    int64_t interval_ns;      /* at most one change in so long; 0: each */
};

/* One watched attribute of one client. */
struct watch {
    struct mw_link slot_link, dirty_link;
    mw_client *client;
    size_t index;
    int64_t revision;         /* that the client was sent; 0: none yet */
    struct watch_manner manner;
    int64_t due_ns;           /* not to be told before */
};

/* What a client watches, and what of it there is to tell. Made with the first watch. */
struct watcher {
    struct mw_link pending_link; /* in the instance's pending while dirty is not empty */
    mw_client *client;
    struct watch **watches;   /* by index */
    size_t count, capacity;
    struct mw_list dirty;     /* those whose values it has yet to be told */
    uint64_t conflated;       /* changes that were passed over because it reads slowly, since it was last told so */
    bool has_manners;         /* a watch is not of the usual manner */
};

/* Of one that says nothing and watches nothing this is all there is, so it is kept small. */
struct mw_client {
    struct mw_link link;
    mw_instance *instance;
    const struct app_sink *sink; /* NULL: none (a request by POST), or gone */
    void *connection;
    struct audience *audience;
    char *user;               /* owned; NULL: has not logged in */
    struct watcher *watcher;  /* of one that watches nothing: a constant, watch_init */
    mw_value *aside;          /* owned, NULL: nothing. Before hello: a list of messages that follow it. While is_logging_in: the
                                 id to be answered */
    uint16_t pins;
    uint16_t later_calls;     /* of instance->calls, those that are this client's */
    uint8_t manner;           /* enum app_manner */
    bool is_connected : 1;    /* `connect` succeeded, so `disconnect` is owed */
    bool is_greeted : 1;      /* hello has been sent, or none is due */
    bool is_closing : 1;      /* its sink was told to close: nothing more goes in or out */
    bool is_gone : 1;         /* its connection is no more */
    bool is_post : 1;         /* stands for one request by POST */
    bool must_log_in : 1;     /* before anything else; the app does not know of it yet */
    bool is_logging_in : 1;   /* the host judges its password, and answers then */
    max_align_t state[];      /* the back end's, zeroed */
};

/* As whom a client looks at attributes. */
static inline mw_view client_view(const mw_client *client)
{
    mw_view view = client->audience->view;

    view.user = client->user;
    return view;
}
/* Whether what holds for another client of its audience may not hold for this one: predicates are told the user. */
static inline bool client_is_special(const mw_client *client)
{
    return client->audience->asks && client->user;
}

/* ---- app.c ---------------------------------------------------------------------------------- */
void app_log(struct app *app, const char *format, ...) MW_PRINTF(2, 3);
/* Count a failure that peers could cause at will, and log it when the count is a power of two. */
void app_log_failure(struct app *app, uint64_t *count, const char *what, int code, const char *reason);
int app_no_memory(const char *app_name, struct mw_error *ret_error); /* says so: -ENOMEM */
bool app_is_text(const mw_value *v, const char *want); /* is it this text? v may be NULL */
void app_limit_hit(struct app *app, enum app_limit limit); /* tells whoever counts */
/* Tells whoever shares the thread out what is being done for the client that is heard. Few steps are not worth the call. */
static inline void app_worked(const struct app *app, size_t steps)
{
    if (steps >= APP_WORK_MANY && app->options.worked)
        app->options.worked(app->options.context, steps);
}
/* What a message's JSON may be. */
static inline struct mw_json_limits app_json_limits(const struct app *app)
{
    const size_t *limits = app->options.limits;

    return (struct mw_json_limits){.depth = limits[APP_LIMIT_JSON_DEPTH], .tokens = limits[APP_LIMIT_JSON_TOKENS], .keys = limits[APP_LIMIT_JSON_KEYS]};
}
/* A message's JSON, within the app's limits; one that is reached is counted. returns as mw_json_parse */
int app_parse(struct app *app, const void *bytes, size_t byte_count, mw_value *ret, struct mw_error *ret_error);
/* Ask for a turn soon. */
void app_wake(struct app *app);
int app_random_hex(struct app *app, char *ret_text, size_t digit_count); /* digits and a NUL; 0, or -EIO */
struct scratch *scratch_take(struct app *app); /* returned owned: scratch_give; NULL: out of memory */
void scratch_give(struct app *app, struct scratch *s);
/* Print attribute `index`'s name as a member's, with its colon. */
void app_print_key(const struct app *app, struct mw_buffer *b, size_t index);

/* ---- descriptor.c ------------------------------------------------------------------------------ */
/* Check a descriptor and copy it. NULL gives one of an app without a back end. */
int descriptor_read(const mw_app *borrows, const char *app_name, mw_app *ret, struct mw_error *ret_error);
const mw_command *descriptor_command(const mw_app *descriptor, const char *name, size_t name_bytes); /* NULL: none */

/* ---- roles.c ------------------------------------------------------------------------------------ */
/* Policies of the file and of the descriptor, roles of the file and the built-in one. Takes the policies in any case.
 * ret  filled on success: roles_clear */
int roles_make(struct app *app, const struct app_policies *takes, struct role_table *ret, struct mw_error *ret_error);
void roles_clear(struct role_table *table);
const struct role *roles_find(const struct role_table *table, const char *name, size_t name_bytes); /* NULL: none */

/* ---- audience.c ---------------------------------------------------------------------------------- */
/* The audience of these roles, with one client more: audience_leave. NULL: out of memory. */
struct audience *audience_join(mw_instance *instance, const char *const *role_names, size_t role_count);
void audience_leave(mw_instance *instance, struct audience *audience); /* may free it */
void audiences_clear(mw_instance *instance); /* its clients are gone */
/* Make the audience's view anew where a policy, a mark or an exposed tasklet changed.
 * returns 1 when its rights map differs now, else 0; -ENOMEM */
int audience_refresh(mw_instance *instance, struct audience *audience);
bool audience_is_stale(const mw_instance *instance, const struct audience *audience); /* has such a change come? */
/* What of an attribute's rights its holder can use: enum mw_right bits. */
int audience_rights_at(const mw_instance *instance, const struct audience *audience, size_t index);
const mw_command *audience_command(const mw_instance *instance, const struct audience *audience, const char *name,
                                   size_t name_bytes); /* NULL: none of that name, or not callable */
const struct exposed_tasklet *audience_tasklet(const mw_instance *instance, const struct audience *audience,
                                               const char *name, size_t name_bytes); /* likewise */
/* The same by its place among instance->tasklets, with its name. */
const struct exposed_tasklet *audience_tasklet_at(const mw_instance *instance, const struct audience *audience,
                                                  size_t index, const mw_value **ret_name);
/* All that its holder may do with this name: enum mw_right bits, 0 also where there is nothing of that name. */
int audience_rights(const mw_instance *instance, const struct audience *audience, const char *name, size_t name_bytes);
const char *rights_word(int rights); /* "get set call" of the bits */
/* As audience_command and audience_tasklet, predicates asked. */
const mw_command *client_command(const mw_client *client, const char *name, size_t name_bytes);
const struct exposed_tasklet *client_tasklet(const mw_client *client, const char *name, size_t name_bytes);

/* ---- instance.c ----------------------------------------------------------------------------------- */
/* The instance that a client of this user belongs to: the one there is, or a new one.
 * returns  0; what `open` returned; -ENOMEM */
int instance_for(struct app *app, const char *user, mw_instance **ret, struct mw_error *ret_error);
void instance_free(mw_instance *instance); /* its clients are gone; accepts NULL and the half-built */
static inline void instance_pin(mw_instance *instance)
{
    instance->pins++;
}
static inline void instance_unpin(mw_instance *instance) /* may free it */
{
    if (--instance->pins == 0 && instance->is_orphan)
        instance_free(instance);
}
/* Walk over the instances while callbacks run: the one returned is pinned until the next call. NULL: the first. */
mw_instance *instance_walk(struct app *app, mw_instance *previous);
void instance_lost_client(mw_instance *instance);  /* a client has gone */
static inline void instance_touch(mw_instance *instance) /* something ran: take part in the next turn */
{
    if (!mw_link_is_linked(&instance->ready_link))
        mw_list_push_back(&instance->app->ready, &instance->ready_link);
    if (!instance->app->is_woken)
        app_wake(instance->app);
}
/* Around every callback: what it makes joins the instance's mesh, and what it did is looked at in the next turn. */
static inline mw_scheduler *instance_enter(mw_instance *instance) /* returns what instance_leave wants back */
{
    return mw_scheduler_enter(instance->mesh);
}
static inline void instance_leave(mw_instance *instance, mw_scheduler *outside)
{
    mw_scheduler_leave(outside);
    instance_touch(instance);
}
void instance_tick(mw_instance *instance, int64_t now_ns);
/* When its mesh or one of its watches has something due: the app wakes it then. After each turn. */
void instance_note_deadline(mw_instance *instance);

/* Something was posted to it, on whatever thread: it takes part in a turn soon. */
void instance_posted(mw_instance *instance);

/* ---- publish.c ------------------------------------------------------------------------------------- */
int publish_open(mw_instance *instance); /* in its mesh; 0, -ENOMEM */

/* ---- tasklets.c ------------------------------------------------------------------------------------- */
const struct exposed_tasklet *instance_tasklet(const mw_instance *instance, const char *name, size_t name_bytes);

/* ---- client.c --------------------------------------------------------------------------------------- */
/* Make a client of an instance, unconnected. who NULL: anonymous. NULL: out of memory. */
mw_client *client_new(mw_instance *instance, enum app_manner manner, const struct app_sink *sink, void *connection,
                      const struct app_identity *who);
/* Run `connect`. 0; -EACCES refused, text in ret_error */
int client_connect(mw_client *client, struct mw_error *ret_error);
/* The client ends: `disconnect`, then it is freed, at once or when its last pin goes. */
void client_end(mw_client *client);
int client_put_aside(mw_client *client, mw_value takes); /* 0, -ENOMEM */
void client_drop_aside(mw_client *client);
void client_abort(mw_client *client); /* close its connection: out of memory */
void client_finish(mw_client *client); /* its last pin has gone: client_unpin's */
static inline void client_pin(mw_client *client)
{
    client->pins++;
}
static inline void client_unpin(mw_client *client) /* may free it */
{
    if (--client->pins == 0 && client->is_gone)
        client_finish(client);
}
static inline bool client_is_reachable(const mw_client *client)
{
    return client->sink && !client->is_gone && !client->is_closing;
}
/* Queue one message. 0; -EPIPE, -ENOBUFS, -ENOMEM: it is closed, or being closed */
int client_put(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count);
int client_put_shared(mw_client *client, mw_value borrows_text);
/* Walk over the clients of an instance while callbacks run: the one returned is pinned until the next call.
 * previous  NULL: the first. To leave early, client_unpin it. */
mw_client *client_walk(mw_instance *instance, mw_client *previous);

/* ---- later.c ----------------------------------------------------------------------------------------- */
/* Its command has failed after all: what is said of it later goes nowhere. Accepts NULL.
 * returns  whether that failure is the answer: it had none yet */
bool call_forget(mw_call *call);
/* A client goes: nobody waits for its calls any more. */
void calls_leave(mw_client *client);
/* The same where it becomes a client of another instance: their outcome is not known. */
void calls_give_up(mw_client *client);
void calls_clear(mw_instance *instance); /* the instance ends */

/* ---- protocol.c -------------------------------------------------------------------------------------- */
/* Answer a message of meshwork.v1; what there is to say is printed into scratch->out. */
void protocol_text(mw_client *client, const void *bytes, size_t byte_count, struct scratch *scratch);
void protocol_value(mw_client *client, mw_value borrows, struct scratch *scratch);
void protocol_binary(mw_client *client, struct scratch *scratch);
void protocol_hello(mw_client *client, const char *session, struct mw_buffer *b);
void protocol_roles(const mw_client *client, struct mw_buffer *b); /* the same user has other roles */
/* Send what scratch->out holds, if anything. */
int protocol_send(mw_client *client, struct scratch *scratch);

/* ---- watch.c ------------------------------------------------------------------------------------------- */
/* What a client has been told of an attribute, or is about to be. */
struct watch_read {
    size_t index;
    int64_t revision; /* 0: none, it could not be read */
    bool is_new;      /* watch_add's own: it was not watched before */
};
void watch_init(mw_client *client); /* a new one, that watches nothing */
/* Let a client watch these from now on, all or, without memory, none. What it watches already gets revision and manner anew.
 * 0, -ENOMEM */
int watch_add(mw_client *client, struct watch_read *reads, size_t count, const struct watch_manner *manner);
bool watch_has(const mw_client *client, size_t index);
/* Unwatch: mark each, then remove them at once, before anything else is done with the client. */
void watch_mark(mw_client *client, size_t index);
void watch_remove_marked(mw_client *client);
void watch_remove_all(mw_client *client);
/* There is something to tell of it, once its client has its turn. */
void watch_mark_dirty(struct watch *w);
/* ---- watch_rights.c ---- */
/* Tell the clients whose rights changed, and the watchers who may read again. */
void watch_follow_rights(mw_instance *instance);
/* The same for one client that is in another audience now. */
void watch_follow_identity(mw_client *client);
/* ---- watch.c again ---- */
/* An attribute was set or published: those who want each change are told at once, before the next comes. */
void watch_tell_each(mw_instance *instance, size_t index);
/* Look at what is watched, tell the watchers. */
void watch_pass(mw_instance *instance);

#endif
