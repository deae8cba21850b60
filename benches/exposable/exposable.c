/* What deciding, reading, comparing and loading cost: the figures of attributes and policies. There is no peer with policies: the blog's
 * Exposable is Python. usage: exposable [FIGURE...]
 * SPDX-License-Identifier: MIT */
#include <meshwork/exposable.h>

#include "../core/bench.h"
#include "app/mount.h"

enum { FEW = 100, MANY = 10000, RULES = 1000, OPS = 1000000 };

static double object[MANY];
static char names[MANY][24];
static mw_attribute attributes[MANY];
static volatile int sink;

static int holds(const mw_access *access)
{
    return access->right == MW_GETTABLE;
}
static const mw_predicate predicates[] = {{"holds", holds}};

static void prepare(void)
{
    int i;

    for (i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "motor%d.speed", i);
        attributes[i] = (mw_attribute){.name = names[i], .offset = (size_t)i * sizeof(double), .field_bytes = sizeof(double),
                                       .kind = MW_REAL};
    }
}

static mw_exposable *open_exposable(size_t count)
{
    mw_exposable *e = NULL;

    bench_check(mw_exposable_new(attributes, count, object, &e, NULL) == 0, "mw_exposable_new");
    return e;
}

static mw_policy *policy_of(const char *key, const char *members)
{
    mw_policy *policy = mw_policy_new("bench");

    bench_check(policy != NULL, "mw_policy_new");
    mw_policy_set_predicates(policy, predicates, MW_COUNT(predicates));
    bench_check(mw_policy_parse(policy, key, members, NULL) == 0, "mw_policy_parse");
    return policy;
}

static double decide(const char *members)
{
    mw_exposable *e = open_exposable(FEW);
    mw_policy *policy = policy_of("gettable", members);
    const mw_policy *list[] = {policy};
    mw_view view = mw_view_of(e, list, 1);
    int64_t began;
    size_t i, at = 0;
    double ns;

    began = mw_now_ns();
    for (i = 0; i < OPS; i++) {
        sink = mw_view_may_at(&view, MW_GETTABLE, at, NULL);
        at = at + 1 < FEW ? at + 1 : 0;
    }
    ns = (double)(mw_now_ns() - began) / OPS;
    mw_exposable_free(e);
    mw_policy_free(policy);
    return ns;
}

static double decide_compiled(void)
{
    return decide("/^motor[0-9]+[.]speed$/");
}

static double decide_by_predicate(void)
{
    return decide("/^motor[0-9]+[.]speed$/@holds");
}

/* As after a turn in which nothing has changed: 100 looks. */
static double compare_100(void)
{
    mw_exposable *e = open_exposable(FEW);
    int64_t began;
    size_t i, k;
    double ns;

    began = mw_now_ns();
    for (i = 0; i < OPS / FEW; i++)
        for (k = 0; k < FEW; k++)
            sink = mw_exposable_look(e, k, NULL) > 0;
    ns = (double)(mw_now_ns() - began) / (double)(OPS / FEW);
    mw_exposable_free(e);
    return ns;
}

/* Parse 1,000 rules, each a name or a regex, and compile them for 10,000 attributes. */
static double load(void)
{
    mw_exposable *e = open_exposable(MANY);
    mw_policy *policy = mw_policy_new("bench");
    const mw_policy *list[] = {policy};
    int64_t began = mw_now_ns();
    char members[64];
    double ms;
    int i;

    bench_check(policy != NULL, "mw_policy_new");
    for (i = 0; i < RULES; i++) {
        (void)snprintf(members, sizeof(members), i % 2 ? "/^motor%d[0-9]?[.]/" : "motor%d.speed", i);
        bench_check(mw_policy_parse(policy, "gettable", members, NULL) == 0, "mw_policy_parse");
    }
    (void)mw_view_of(e, list, 1);
    ms = (double)(mw_now_ns() - began) / 1e6;
    mw_exposable_free(e);
    mw_policy_free(policy);
    return ms;
}

/* A regex that would take for ever on one name; it is denied. */
static double pathological(void)
{
    char name[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    mw_attribute one = {.name = name, .field_bytes = sizeof(double), .kind = MW_REAL};
    mw_policy *policy = policy_of("gettable", "/^(a+)+$/");
    const mw_policy *list[] = {policy};
    mw_exposable *e = NULL;
    int64_t began;
    mw_view view;
    double ms;

    bench_check(mw_exposable_new(&one, 1, object, &e, NULL) == 0, "mw_exposable_new");
    began = mw_now_ns();
    view = mw_view_of(e, list, 1);
    bench_check(!mw_view_may_at(&view, MW_GETTABLE, 0, NULL), "a pathological regex has to deny");
    ms = (double)(mw_now_ns() - began) / 1e6;
    mw_exposable_free(e);
    mw_policy_free(policy);
    return ms;
}

/* ---- a getAttr of ten, from the text of the request to the text of the answer ----------------------------- */

static size_t answered;

static int take_answer(void *connection, enum mw_frame kind, const void *borrows, size_t byte_count)
{
    (void)connection, (void)kind, (void)borrows;
    answered += byte_count;
    return 0;
}

static void close_connection(void *connection, int code, const char *reason)
{
    (void)connection, (void)code, (void)reason;
}

static double get_attr_10(void)
{
    static const struct app_sink to_nowhere = {.send = take_answer, .close = close_connection};
    char request[512] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"getAttr\",\"params\":[\"motor0.speed\"";
    const mw_app descriptor = {.abi = MW_ABI, .size = sizeof(mw_app), .name = "bench", .state_bytes = sizeof(object),
                               .attributes = attributes, .attribute_count = FEW};
    const char *const policies[] = {"bench"};
    const struct app_role role = {.name = "anonymous", .policies = policies, .policy_count = 1};
    mw_policy *policy = policy_of("gettable", "/^motor[0-9]+[.]speed$/");
    const struct app_options options = {.name = "bench", .descriptor = &descriptor, .message_bytes = 1 << 20,
                                        .policies = {.policies = &policy, .policy_count = 1, .roles = &role, .role_count = 1}};
    mw_client *client = NULL;
    struct app *app = NULL;
    int64_t began;
    int i;
    double ns;

    for (i = 1; i < 10; i++)
        (void)snprintf(request + strlen(request), sizeof(request) - strlen(request), ",\"motor%d.speed\"", i);
    (void)snprintf(request + strlen(request), sizeof(request) - strlen(request), "]}");
    bench_check(app_open(&options, &app, NULL) == 0, "app_open");
    bench_check(app_client_open(app, APP_MANNER_V1, &to_nowhere, NULL, NULL, &client, NULL) == 0, "app_client_open");
    began = mw_now_ns();
    for (i = 0; i < OPS / 20; i++)
        app_client_message(client, MW_FRAME_TEXT, request, strlen(request));
    ns = (double)(mw_now_ns() - began) / (OPS / 20);
    bench_check(answered > 0, "no answer came");
    app_client_closed(client);
    app_free(app);
    return ns;
}

int main(int argc, char **argv)
{
    prepare();
    bench_median(argc, argv, "decide", decide_compiled);
    bench_median(argc, argv, "decide-predicate", decide_by_predicate);
    bench_median(argc, argv, "compare-100", compare_100);
    bench_median(argc, argv, "getattr-10", get_attr_10);
    bench_median(argc, argv, "load", load);
    bench_median(argc, argv, "pathological", pathological);
    return 0;
}
