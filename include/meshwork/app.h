/* An app's back end: the descriptor it exports and what its callbacks may call.
 * Not how it is served; that is server.h. Read next: examples/hello/app.c.
 * SPDX-License-Identifier: MIT */
#ifndef MESHWORK_APP_H
#define MESHWORK_APP_H

#include <meshwork/exposable.h>
#include <meshwork/scheduler.h>

MW_BEGIN_DECLS

/* Raised whenever a built back end would no longer fit. Another ABI is refused. */
#define MW_ABI 3u

typedef struct mw_instance mw_instance; /* one running back end; valid from its `open` until its `close` returns */
typedef struct mw_client mw_client;     /* one connection to it; valid from its `connect` until its `disconnect` returns */
typedef struct mw_call mw_call;         /* a call whose answer comes later; valid until mw_call_free */

enum mw_instance_mode {
    MW_INSTANCE_ONE,        /* one for all clients, opened when the app is */
    MW_INSTANCE_PER_USER,   /* opened with a user's first client, closed a minute after the last has gone; with several workers on one of them, the
                               same for a user for as long as the server runs: as below */
    MW_INSTANCE_PER_CLIENT, /* opened and closed with its client; with several workers on whichever of them that came in: all its callbacks
                               run there, while those of other instances run on other threads */
};

/* The kind of a WebSocket message (RFC 6455 §5.6). */
enum mw_frame { MW_FRAME_TEXT = 1, MW_FRAME_BINARY = 2 };

/* A policy declared in C; one of the same name in app.ini replaces it. */
typedef struct mw_policy_table {
    const char *name;
    const mw_rule *rules;
    size_t rule_count;
} mw_policy_table;

/* What a command takes. Checked before the command is called, as the value of an attribute is: kind, width, range, choice. */
typedef struct mw_param {
    const char *name;                               /* 1 to 256 bytes of UTF-8 */
    enum mw_kind kind;                              /* MW_NULL: a value of any kind */
    bool is_optional MW_OPTIONAL;                   /* it may be left out, or be null, and is then not in the args */
    mw_range range MW_OPTIONAL;                     /* of an int or a real */
    const mw_choice *choices MW_OPTIONAL;           /* of a text: its names; of an int: its numbers */
    size_t choice_count MW_OPTIONAL;
    uint32_t max_bytes MW_OPTIONAL;                 /* of a text; 0: no bound of its own */
    const char *unit MW_OPTIONAL, *doc MW_OPTIONAL; /* may be NULL */
} mw_param;

/* A command that a front end may call where it is `callable`.
 *
 * args     borrowed; null where the caller gave none. With params: a map of those that were given, each of its declared kind
 *          (an int given for a real comes as a real); a caller may also give them as a list, in the order of the table
 * ret      returned owned: the answer; left alone, it is null; released where the command fails
 * returns  0, or negative with ret_error filled: -EINVAL the args are at fault, -EACCES not for this client, -EAGAIN not
 *          now, anything else is a failure of the back end's own
 * One that takes its time answers later: mw_call_later.
 */
typedef struct mw_command {
    const char *name, *doc MW_OPTIONAL; /* doc may be NULL */
    int (*call)(mw_client *client, mw_value borrows_args, mw_value *ret, struct mw_error *ret_error);
    const mw_param *params MW_OPTIONAL; /* NULL: whatever the caller gives reaches the command, unchecked */
    size_t param_count MW_OPTIONAL;     /* at most 64; 0 with params: it takes none */
} mw_command;

typedef struct mw_app {
    uint32_t abi;                               /* MW_ABI */
    uint32_t size;                              /* sizeof(mw_app) */
    const char *name;
    enum mw_instance_mode instance MW_OPTIONAL;
    size_t state_bytes MW_OPTIONAL;             /* zeroed before open, unless `state` says where it is */
    size_t client_bytes MW_OPTIONAL;            /* zeroed before connect */
    const mw_attribute *attributes MW_OPTIONAL;
    size_t attribute_count MW_OPTIONAL;
    const mw_command *commands MW_OPTIONAL;
    size_t command_count MW_OPTIONAL;
    const mw_policy_table *policies MW_OPTIONAL;
    size_t policy_count MW_OPTIONAL;
    int64_t tick_ns MW_OPTIONAL;                /* 0: no tick; at least 1 ms */
    uint32_t state_version MW_OPTIONAL;         /* for `migrate` */

    /* All run on the instance's mesh thread, one at a time, and must not wait. Negative is failure, with ret_error
     * filled where there is one. Each may be NULL. What they make joins the instance's mesh. */
    int (*open)(mw_instance *instance, void *state, struct mw_error *ret_error) MW_OPTIONAL; /* builds the mesh */
    void (*close)(mw_instance *instance, void *state) MW_OPTIONAL; /* before its tasklets are freed */
    int (*connect)(mw_client *client, void *client_state, struct mw_error *ret_error) MW_OPTIONAL; /* negative refuses: 1008 */
    void (*disconnect)(mw_client *client, void *client_state) MW_OPTIONAL;
    int (*receive)(mw_client *client, mw_value borrows_message) MW_OPTIONAL; /* plain mode: a JSON message */
    /* Instead of receive: every message of a plain connection, untouched; bytes borrowed during the call. */
    int (*receive_raw)(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count) MW_OPTIONAL;
    int (*tick)(mw_instance *instance, void *state) MW_OPTIONAL; /* runs as the tasklet "tick"; one that is late is not made up for */
    int (*migrate)(void *new_state, const void *old_state, uint32_t old_version) MW_OPTIONAL; /* for a reload without a restart, which is yet to come: not called */

    const mw_predicate *predicates MW_OPTIONAL; /* that app.ini may name: settable = speed@within_shift */
    size_t predicate_count MW_OPTIONAL;
    /* An object that the program has already, instead of fresh memory of state_bytes: the callbacks get it as `state`, attributes are fields
     * of it. Of MW_INSTANCE_ONE alone. Borrowed until the app is freed, neither zeroed nor freed; touched by the thread that runs the
     * server, so whatever other threads change in it goes by mw_publish. NULL: none. state_bytes is then its size; 0: not known. */
    void *state MW_OPTIONAL;
} mw_app;

/* Every back end exports this symbol: MW_EXPORT const mw_app mw_app_descriptor = {...}; said here once, because in C++ a
 * constant is its file's own unless declared otherwise. */
#define MW_APP_SYMBOL "mw_app_descriptor"
extern MW_EXPORT const mw_app mw_app_descriptor;

/* ---- what callbacks may call: on the instance's mesh thread ------------------------------
 * Inside any callback, setter, command or tasklet, also about a client that ended meanwhile: then -EPIPE. */
MW_EXPORT void *mw_instance_state(mw_instance *instance);
MW_EXPORT mw_scheduler *mw_instance_mesh(mw_instance *instance);
MW_EXPORT mw_exposable *mw_instance_exposable(mw_instance *instance); /* for mw_expose and mw_unexpose */
/* Let front ends send to a tasklet by name, those for whom a policy makes that name callable. Their items are what JSON
 * can say, and enter its mailbox by mw_offer.
 * name     1 to 256 bytes of UTF-8, as an attribute's; copied; NULL: the tasklet's own name
 * tasklet  borrowed: unexpose it before it is freed, unless the end of the instance frees it
 * doc      for `describe`; copied; may be NULL
 * returns  0; -EEXIST there is an attribute, a command or an exposed tasklet of that name; -EINVAL no tasklet, or a name
 *          that no policy can name; -ENOMEM */
MW_EXPORT int mw_expose_tasklet(mw_instance *instance, const char *name, mw_tasklet *tasklet, const char *doc);
MW_EXPORT int mw_unexpose_tasklet(mw_instance *instance, const char *name); /* 0; -ENOENT none is exposed so */
MW_EXPORT void *mw_client_state(mw_client *client);
MW_EXPORT mw_instance *mw_client_instance(mw_client *client);
MW_EXPORT const char *mw_instance_user(mw_instance *instance); /* of MW_INSTANCE_PER_USER: whose it is; "" that of all anonymous, or another mode; borrowed */
MW_EXPORT const char *mw_client_user(mw_client *client); /* "" while anonymous; borrowed */
/* Whether its user has a role, as the users' file or `anonymous` and `local` say it. For what policies cannot: those decide about names. */
MW_EXPORT bool mw_client_has_role(mw_client *client, const char *role);
/* Where it comes from: a numeric address, also through a trusted proxy.
 * returns  "" where that is not known: its connection has gone; borrowed until this is asked again */
MW_EXPORT const char *mw_client_address(mw_client *client);
/* What stood behind the '?' of the URL with which it connected, as it came (still percent-encoded): `new WebSocket("/?room=5")`.
 * returns  "" where there was nothing, or in a call by POST; borrowed while the client is there */
MW_EXPORT const char *mw_client_query(mw_client *client);
/* Whether it reads so slowly that what is sent to it now waits behind output_pause_bytes or more: for streams that can leave something out. What
 * is sent all the same is queued, up to the limits, past which it is closed. false once it has caught up with half of that */
MW_EXPORT bool mw_client_is_behind(mw_client *client);
/* Call each for the clients of an instance, in the order of their coming, from after their `connect` on until they have gone. It may do what
 * callbacks may, also close or send to any of them.
 * each     returns 0 to go on
 * returns  what the last call returned; 0 also where there are none */
MW_EXPORT int mw_each_client(mw_instance *instance, int (*each)(void *context, mw_client *client), void *context);

/* ---- calls that are answered later: on the instance's mesh thread
 * A command that waits for a device, or for what another thread computes, hands its call to a tasklet and returns 0: others are served
 * meanwhile. Given on as the item mw_opaque(call, mw_call_free), it is answered whatever becomes of that item; the tasklet finds it by
 * mw_get_opaque. Other threads post to a tasklet, which answers. */
/* Take the answer of the call that is being made upon oneself: inside a command alone, which then returns 0. (Where it fails all the same, and
 * has not answered yet, that is the answer.)
 * client   whose call it is
 * returns  returned owned: mw_call_free. NULL: it cannot be answered later, as it came by POST or in a batch, or as 256 calls of this client
 *          wait already; or out of memory. The command then fails with -EAGAIN, or answers at once */
MW_EXPORT MW_MUST_USE mw_call *mw_call_later(mw_client *client);
/* Who waits for it; NULL: nobody any more. The client has gone, or logged in as somebody whose instance is another, or it has been answered. */
MW_EXPORT mw_client *mw_call_client(const mw_call *call);
/* Answer it.
 * answer   takes
 * returns  0; -EPIPE nobody waits for it; -EINVAL it has no form in JSON, -EMSGSIZE, -ENOMEM: the caller is told that it failed */
MW_EXPORT int mw_call_answer(mw_call *call, mw_value answer);
/* Say that it has failed.
 * code     negative, as a command returns it
 * format   as of printf: the reason, for the caller; NULL: what the code says
 * returns  0; -EPIPE nobody waits for it; -EINVAL no such code */
MW_EXPORT int mw_call_fail(mw_call *call, int code, const char *format, ...) MW_PRINTF(3, 4);
/* Give a mw_call back; whoever still waits for it is told that it has failed. Accepts NULL. Also after its instance has ended, then on any
 * thread. As the release function of an mw_opaque it comes where the last who holds that lets go. */
MW_EXPORT void mw_call_free(void *call);

/* ---- what is said to clients */
/* Answer a plain message: {msgId, ...answer}, with the request's msgId.
 * request  borrowed; without msgId the answer is sent as it is
 * answer   takes; a map
 * returns  0; -EINVAL no map; -EPIPE the client is gone; -EMSGSIZE; -ENOMEM */
MW_EXPORT int mw_reply(mw_client *client, mw_value request, mw_value answer);
/* Send one client a message: in plain mode as it is, in meshwork.v1 as a broadcast with channel null. takes.
 * returns  0; -EPIPE gone or being closed; -ENOBUFS its queue is full, so it is being closed; -EINVAL no JSON form;
 *          -EMSGSIZE; -ENOMEM, as also for a value of kind MW_MISSING */
MW_EXPORT int mw_client_send(mw_client *client, mw_value message);
/* Send bytes untouched: for receive_raw. borrows. text must be valid UTF-8 (-EINVAL). returns as mw_client_send. */
MW_EXPORT int mw_client_send_raw(mw_client *client, enum mw_frame kind, const void *bytes, size_t byte_count);
/* Send to all clients of an instance. channel NULL: to all who may connect; else to those for whom it is hearable.
 * takes. returns how many it was queued for, or negative. */
MW_EXPORT int mw_broadcast(mw_instance *instance, const char *channel, mw_value message);
/* The same to some of them: who is in a room, everybody but the one who said it.
 * is_for   whether a client is to get it; asked after its `connect`, and only where it could hear it. It looks and sends nothing. NULL: to all
 * context  handed to it */
MW_EXPORT int mw_broadcast_to(mw_instance *instance, const char *channel, mw_value message,
                              bool (*is_for)(void *context, mw_client *client), void *context);

/* ---- what any thread may call, while the instance is open ---------------------------------------------------
 * From the instance's `open` on until its `close` returns: stop your threads there. */
/* Say what the field of an attribute holds from now on: how threads of your own hand in what they measured. It is written on the
 * mesh's thread, past setter and read_only, soon; watchers are told of each, those of `latest` perhaps only of the newest.
 * value    takes
 * returns  0 it will be written; -ENOENT no such attribute; -EROFS it has no field; -EINVAL not its kind, width, range or choice;
 *          -EAGAIN 1,024 wait already: later; -EPIPE the instance is closing; -ENOMEM */
MW_EXPORT int mw_publish(mw_instance *instance, const char *name, mw_value value);
/* Say that an attribute may have changed: its getter reads what other threads write, with a lock of its own, or it is shared. It is
 * looked at soon, if somebody watches it. returns 0; -ENOENT no such attribute */
MW_EXPORT int mw_changed(mw_instance *instance, const char *name);

/* ---- on the instance's mesh thread again -------------------------------------------------------------------- */
/* Close a client's connection. It is heard and spoken to no more; its `disconnect` comes when the connection has ended.
 * code     1000, 1008 or 3000 to 4999
 * reason   at most 123 bytes of UTF-8, may be NULL
 * returns  0; -EINVAL; -EPIPE it is gone or being closed already */
MW_EXPORT int mw_client_close(mw_client *client, int code, const char *reason);

MW_END_DECLS

#endif
