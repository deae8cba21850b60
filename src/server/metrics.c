/* What the server counts, family by family. Labels are the names of apps, of limits and of tasklets; of the last as many as gathered.h
 * has.
 * Read next: docs/operations.md, which lists the families.
 * SPDX-License-Identifier: MIT */
#include "server/metrics.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "server/gathered.h"

enum { METRICS_BYTES_MAX = 8 << 20, BYTES_A_STEP = 64, TASKLETS_A_STEP = 6 };

/* ---- the format ------------------------------------------------------------------------------------- */

/* Errors stick in the buffer and are looked at once. */
static void family(struct mw_buffer *out, const char *name, const char *kind, const char *help)
{
    (void)mw_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void label(struct mw_buffer *out, const char *name, const char *value)
{
    (void)mw_buffer_printf(out, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            (void)mw_buffer_append_byte(out, '\\');
        (void)mw_buffer_append_byte(out, (unsigned char)*value < 0x20 ? '?' : (uint8_t)*value);
    }
    (void)mw_buffer_append_byte(out, '"');
}

static void single(struct mw_buffer *out, const char *name, const char *kind, const char *help, uint64_t value)
{
    family(out, name, kind, help);
    (void)mw_buffer_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* A family whose numbers are a member of one struct for each app, mesh or name. */
struct row {
    const char *name, *kind, *help;
    size_t offset, size;
};
#define ROW(name, kind, help, type, member) {name, kind, help, offsetof(type, member), sizeof(((type *)0)->member)}

static uint64_t row_number(const struct row *row, const void *stats)
{
    uint64_t wide = 0;
    uint32_t narrow = 0;

    if (row->size == sizeof wide) {
        memcpy(&wide, (const char *)stats + row->offset, sizeof wide);
        return wide;
    }
    memcpy(&narrow, (const char *)stats + row->offset, sizeof narrow); /* size_t, where it has 32 bits */
    return narrow;
}

/* ---- the process ------------------------------------------------------------------------------------- */

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    if (!file)
        return 0;
    if (fscanf(file, "%*s %llu", &pages) != 1)
        pages = 0;
    (void)fclose(file); /* only read */
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (!dir)
        return 0;
    while (readdir(dir))
        count++;
    (void)closedir(dir); /* only read */
    return count > 3 ? count - 3 : 0; /* "." and "..", and the one just used */
}

static void print_process(struct mw_buffer *out, const mw_server *server)
{
    struct rusage usage = {0};
    struct rlimit descriptors = {0};
    double cpu_s;

    (void)getrusage(RUSAGE_SELF, &usage); /* fails for bad arguments alone, as does the next */
    (void)getrlimit(RLIMIT_NOFILE, &descriptors);
    cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    family(out, "process_cpu_seconds_total", "counter", "User and system time.");
    (void)mw_buffer_printf(out, "process_cpu_seconds_total %.6f\n", cpu_s);
    single(out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    single(out, "process_open_fds", "gauge", "Open descriptors.", open_descriptors());
    single(out, "process_max_fds", "gauge", "How many may be open.", descriptors.rlim_cur);
    single(out, "process_start_time_seconds", "gauge", "When the server started, since 1970.", (uint64_t)server->started_s);
    family(out, "meshwork_build_info", "gauge", "Always 1; the version is a label.");
    (void)mw_buffer_append_text(out, "meshwork_build_info{version=\"" MW_VERSION "\"} 1\n");
    single(out, "meshwork_ready", "gauge", "1 where /_mw/readyz says ok.", server_is_ready(server));
    single(out, "meshwork_memory_bytes", "gauge", "Allocated and not yet freed.", (uint64_t)mw_memory_stats().live_bytes);
    single(out, "meshwork_turns_total", "counter", "Passes of the loop.", server->turns);
    single(out, "meshwork_worker_hangs_total", "counter", "Workers that were found in one turn from one look of the watchdog to the next.",
           server->workers.hangs);
    single(out, "meshwork_log_lines_left_out_total", "counter", "Lines of the log over its rate.",
           atomic_load(&server->log.left_out_in_all));
}

/* ---- connections ----------------------------------------------------------------------------------- */

static void print_edge(struct mw_buffer *out, mw_server *server)
{
    const struct edge_stats s = server_edge_stats(server);
    const struct {
        const char *name, *kind, *help;
        uint64_t value;
    } rows[] = {
        {"meshwork_workers", "gauge", "Threads that accept connections.", server->workers.count + 1},
        {"meshwork_connections", "gauge", "Open connections.", edge_together_connections(server->together)},
        {"meshwork_websockets", "gauge", "Those that are WebSockets.", s.websockets},
        {"meshwork_listeners", "gauge", "Listening sockets.", s.listeners},
        {"meshwork_output_queued_bytes", "gauge", "Queued for clients and not yet taken by the kernel.", s.queued_bytes},
        {"meshwork_input_unfinished_bytes", "gauge", "Of bodies and messages that have come in part.", s.unfinished_bytes},
        {"meshwork_connections_accepted_total", "counter", "Connections that came in.", s.accepted},
        {"meshwork_connections_refused_total", "counter", "Connections that found no room.", s.refused},
        {"meshwork_connections_moved_total", "counter", "Connections that went to another worker, where their app or their user's instance is.", s.moved_in},
        {"meshwork_put_off_total", "counter", "Times that a connection waited for its turn, as it or all together had had their share.", s.put_off},
        {"meshwork_told_later_total", "counter", "Passes that left some of what many were told at once to be written in a later one.", s.told_later},
        {"meshwork_upgrades_total", "counter", "WebSockets opened.", s.upgrades},
        {"meshwork_messages_received_total", "counter", "WebSocket messages from clients.", s.messages_in},
        {"meshwork_messages_sent_total", "counter", "WebSocket messages to clients.", s.messages_out},
        {"meshwork_received_bytes_total", "counter", "Bytes from clients; over TLS, decrypted.", s.bytes_in},
        {"meshwork_sent_bytes_total", "counter", "Bytes to clients; over TLS, before encryption.", s.bytes_out},
        {"meshwork_writes_total", "counter", "System calls that wrote to clients.", s.writes},
        {"meshwork_bad_requests_total", "counter", "Malformed HTTP.", s.bad_requests},
        {"meshwork_protocol_errors_total", "counter", "WebSockets closed with 1002 or 1007.", s.protocol_errors},
        {"meshwork_tls_handshakes", "gauge", "TLS handshakes under way.", s.tls_handshakes},
        {"meshwork_tls_opened_total", "counter", "TLS handshakes that were completed.", s.tls_opened},
        {"meshwork_tls_failed_total", "counter", "TLS handshakes that were not.", s.tls_failed},
        {"meshwork_tls_plain_total", "counter", "Plain HTTP on a port that speaks TLS.", s.tls_plain},
        {"meshwork_gzip_cached_files", "gauge", "Files kept compressed.", s.gzip_files},
        {"meshwork_gzip_cached_bytes", "gauge", "What they take.", s.gzip_bytes},
        {"meshwork_gzip_made_total", "counter", "Files compressed as they were asked for.", s.gzip_made},
        {"meshwork_gzip_answers_total", "counter", "Answers with one of them.", s.gzip_answers},
        {"meshwork_gzip_bodies_total", "counter", "Answers compressed that are no files.", s.gzip_bodies},
        {"meshwork_file_cache_files", "gauge", "Files held in memory.", s.cached_files},
        {"meshwork_file_cache_missing", "gauge", "Names held that are no file.", s.cached_missing},
        {"meshwork_file_cache_bytes", "gauge", "What both take.", s.cached_bytes},
        {"meshwork_file_cache_found_total", "counter", "Looks at a folder that were spared.", s.cache_found},
        {"meshwork_file_cache_checked_total", "counter", "Looks that found a file unchanged.", s.cache_checked},
        {"meshwork_file_cache_too_large_total", "counter", "Files opened that are too large to be held.", s.cache_too_large},
        {"meshwork_deflating_websockets", "gauge", "WebSockets with permessage-deflate.", s.deflating},
        {"meshwork_deflated_messages_total", "counter", "Messages that left compressed.", s.deflated},
        {"meshwork_deflated_from_bytes_total", "counter", "Their bytes before.", s.deflated_from_bytes},
        {"meshwork_deflated_bytes_total", "counter", "Their bytes after.", s.deflated_bytes},
        {"meshwork_inflated_messages_total", "counter", "Messages that came compressed.", s.inflated},
        {"meshwork_inflated_from_bytes_total", "counter", "Their bytes as they came.", s.inflated_from_bytes},
        {"meshwork_inflated_bytes_total", "counter", "Their bytes after.", s.inflated_bytes},
    };
    size_t i;

    for (i = 0; i < MW_COUNT(rows); i++)
        single(out, rows[i].name, rows[i].kind, rows[i].help, rows[i].value);
    family(out, "meshwork_responses_total", "counter", "Answers by the class of their status; 1xx are upgrades.");
    for (i = 1; i < MW_COUNT(s.status); i++)
        (void)mw_buffer_printf(out, "meshwork_responses_total{class=\"%zuxx\"} %" PRIu64 "\n", i, s.status[i]);
}

static void print_shedding(struct mw_buffer *out, mw_server *server)
{
    const struct shed_counts counts = server_shed_counts(server);
    size_t i;

    single(out, "meshwork_shedding_level", "gauge", "0: none; 1 connections, 2 idle, 3 watches, 4 largest.", server->shed.level);
    family(out, "meshwork_shedding_entered_total", "counter", "How often each level was reached.");
    for (i = 1; i < SHED_LEVELS; i++)
        (void)mw_buffer_printf(out, "meshwork_shedding_entered_total{level=\"%s\"} %" PRIu64 "\n",
                               shed_word((enum shed_level)i), server->shed.entered[i]);
    single(out, "meshwork_shed_idle_total", "counter", "Waiting connections closed for memory.", counts.closed_idle);
    single(out, "meshwork_shed_clients_total", "counter", "Largest clients dropped for memory.", counts.dropped_largest);
}

static void print_limits(struct mw_buffer *out, mw_server *server)
{
    const struct edge_limits *limits = edge_limits_of(server->reactor.edge);
    size_t i;

    family(out, "meshwork_limit", "gauge", "What each limit is set to.");
    for (i = 0; i < EDGE_LIMIT_COUNT; i++)
        (void)mw_buffer_printf(out, "meshwork_limit{limit=\"%s\"} %" PRIu64 "\n",
                               edge_limit_info((enum edge_limit)i)->name, limits->value[i]);
    family(out, "meshwork_limit_hits_total", "counter", "How often each limit was reached.");
    for (i = 0; i < EDGE_LIMIT_COUNT; i++)
        (void)mw_buffer_printf(out, "meshwork_limit_hits_total{limit=\"%s\"} %" PRIu64 "\n",
                               edge_limit_info((enum edge_limit)i)->name, server_limit_hits(server, (enum edge_limit)i));
}

static void print_logins(struct mw_buffer *out, uint64_t right, uint64_t wrong, uint64_t put_off)
{
    family(out, "meshwork_logins_total", "counter", "Logins by what came of them.");
    (void)mw_buffer_printf(out, "meshwork_logins_total{outcome=\"right\"} %" PRIu64 "\n", right);
    (void)mw_buffer_printf(out, "meshwork_logins_total{outcome=\"wrong\"} %" PRIu64 "\n", wrong);
    (void)mw_buffer_printf(out, "meshwork_logins_total{outcome=\"put_off\"} %" PRIu64 "\n", put_off);
}

static void print_audit(struct mw_buffer *out, mw_server *server)
{
    uint64_t lines, lost;

    audit_counts(&server->audit, &lines, &lost);
    single(out, "meshwork_audit_lines_total", "counter", "Lines of the audit log.", lines);
    single(out, "meshwork_audit_lost_total", "counter", "Lines of the audit log that it could not take.", lost);
}

static void print_ended_sessions(struct mw_buffer *out, const struct sessions *s)
{
    const char *name = "meshwork_sessions_ended_total";

    family(out, name, "counter", "Sessions that ended by themselves, by the limit that did it.");
    (void)mw_buffer_printf(out, "%s{limit=\"session_idle_ms\"} %" PRIu64 "\n", name, s->ended_idle);
    (void)mw_buffer_printf(out, "%s{limit=\"session_ms\"} %" PRIu64 "\n", name, s->ended_old);
    (void)mw_buffer_printf(out, "%s{limit=\"sessions_per_user\"} %" PRIu64 "\n", name, s->pushed_out_of_user);
    (void)mw_buffer_printf(out, "%s{limit=\"sessions\"} %" PRIu64 "\n", name, s->pushed_out_of_all);
}

static void print_gate(struct mw_buffer *out, mw_server *server)
{
    struct gate *gate = &server->gate;

    gate_lock(gate);
    print_logins(out, gate->right, gate->wrong, gate->put_off);
    print_ended_sessions(out, &gate->sessions);
    single(out, "meshwork_users", "gauge", "Users there are.", gate->users ? mw_users_count(gate->users) : 0);
    single(out, "meshwork_sessions", "gauge", "Sessions now.", gate->sessions.count);
    single(out, "meshwork_connections_revoked_total", "counter", "Connections closed because their user may not be here any more.",
           gate->revoked);
    single(out, "meshwork_connections_hurried_total", "counter", "Connections dropped: slow when their rights were lost.",
           gate->dropped);
    gate_unlock(gate);
}

/* ---- apps --------------------------------------------------------------------------------------------- */

#define APP_ROW(name, kind, help, member) ROW(name, kind, help, struct app_stats, member)
static const struct row app_rows[] = {
    APP_ROW("meshwork_app_clients", "gauge", "Clients now.", clients),
    APP_ROW("meshwork_app_instances", "gauge", "Instances, each with a mesh of its own.", instances),
    APP_ROW("meshwork_app_watches", "gauge", "Watched attributes, of all clients.", watches),
    APP_ROW("meshwork_app_messages_total", "counter", "Messages from clients.", messages),
    APP_ROW("meshwork_app_ignored_messages_total", "counter", "Plain mode: no JSON, or binary.", ignored_messages),
    APP_ROW("meshwork_app_requests_total", "counter", "JSON-RPC requests.", requests),
    APP_ROW("meshwork_app_request_errors_total", "counter", "Requests answered with an error.", request_errors),
    APP_ROW("meshwork_policy_denials_total", "counter", "Names that a policy denied.", denied),
    APP_ROW("meshwork_app_changes_sent_total", "counter", "Messages `changed`.", changes_sent),
    APP_ROW("meshwork_app_conflated_total", "counter", "Changes passed over for slow readers.", conflated),
    APP_ROW("meshwork_app_broadcasts_total", "counter", "Broadcasts.", broadcasts),
    APP_ROW("meshwork_app_unsent_total", "counter", "Messages that found no memory or no room.", unsent),
    APP_ROW("meshwork_app_answers_too_large_total", "counter", "Answers over their limit.", answers_too_large),
    APP_ROW("meshwork_app_batches_refused_total", "counter", "Batches of too many calls.", batches_refused),
    APP_ROW("meshwork_app_watches_refused_total", "counter", "Watches over a limit.", watches_refused),
    APP_ROW("meshwork_app_unauthenticated_total", "counter", "Requests before a login that is required.", unauthenticated),
    APP_ROW("meshwork_app_connects_refused_total", "counter", "Clients that the app refused.", connects_refused),
    APP_ROW("meshwork_app_opens_failed_total", "counter", "Instances that could not be opened.", opens_failed),
    APP_ROW("meshwork_app_sends_total", "counter", "Items that front ends sent to tasklets.", sends),
    APP_ROW("meshwork_app_sends_refused_total", "counter", "Such items that found a full or a closed one.", sends_refused),
    APP_ROW("meshwork_app_denials_forgotten_total", "counter", "Denials whose ids lead nowhere any more.", denials_forgotten),
    APP_ROW("meshwork_app_keys_forgotten_total", "counter", "Idempotency keys pushed out.", keys_forgotten),
    APP_ROW("meshwork_app_ticks_skipped_total", "counter", "Ticks that came too late.", ticks_skipped),
    APP_ROW("meshwork_app_body_failures_total", "counter", "Tasklets' bodies that failed.", body_failures),
};

static void app_line(struct mw_buffer *out, const char *name, const struct mounted *m, uint64_t value)
{
    (void)mw_buffer_printf(out, "%s{", name);
    label(out, "app", m->folder);
    (void)mw_buffer_printf(out, "} %" PRIu64 "\n", value);
}

static void print_apps(struct mw_buffer *out, mw_server *server)
{
    size_t i, k;

    for (k = 0; k < MW_COUNT(app_rows); k++) {
        family(out, app_rows[k].name, app_rows[k].kind, app_rows[k].help);
        for (i = 0; i < server->app_count; i++) {
            const struct app_stats stats = server_app_stats(server, i);

            app_line(out, app_rows[k].name, server->apps[i], row_number(&app_rows[k], &stats));
        }
    }
}

/* ---- meshes and tasklets --------------------------------------------------------------------------- */

#define MESH_ROW(name, kind, help, member) ROW(name, kind, help, struct mw_scheduler_stats, member)
static const struct row mesh_rows[] = {
    MESH_ROW("meshwork_mesh_tasklets", "gauge", "Tasklets in the meshes of an app.", tasklets),
    MESH_ROW("meshwork_mesh_ready", "gauge", "Those with something to do.", ready),
    MESH_ROW("meshwork_mesh_turns_total", "counter", "Turns.", turns),
    MESH_ROW("meshwork_mesh_items_total", "counter", "Items processed in turns.", processed),
    MESH_ROW("meshwork_mesh_failures_total", "counter", "Bodies that failed or got no stack.", failures),
    MESH_ROW("meshwork_mesh_posts_dropped_total", "counter", "Posts that found their tasklet gone.", posts_dropped),
};

#define NAMED_ROW(name, kind, help, member) ROW(name, kind, help, struct gathered_name, member)
static const struct row named_rows[] = {
    NAMED_ROW("meshwork_tasklets", "gauge", "Tasklets of a name.", tasklets),
    NAMED_ROW("meshwork_queue_items", "gauge", "Items that wait in their mailboxes.", queued),
    NAMED_ROW("meshwork_queue_capacity_items", "gauge", "How many have room there.", capacity),
    NAMED_ROW("meshwork_tasklet_items_total", "counter", "Items handed to their bodies.", processed),
    NAMED_ROW("meshwork_queue_refused_total", "counter", "Items that found a mailbox full.", refused),
    NAMED_ROW("meshwork_queue_dropped_total", "counter", "Items dropped by an overflow policy or a clear.", dropped),
    NAMED_ROW("meshwork_tasklet_failures_total", "counter", "Bodies that failed.", failures),
};

static void print_named(struct mw_buffer *out, const mw_server *server, const struct gathered *all, size_t row)
{
    size_t i, k;

    family(out, named_rows[row].name, named_rows[row].kind, named_rows[row].help);
    for (i = 0; i < server->app_count; i++) {
        for (k = 0; k <= GATHERED_NAMES_MAX; k++) {
            const struct gathered_name *named = &all[i].named[k];

            if (named->tasklets == 0)
                continue;
            (void)mw_buffer_printf(out, "%s{", named_rows[row].name);
            label(out, "app", server->apps[i]->folder);
            (void)mw_buffer_append_byte(out, ',');
            label(out, "tasklet", k < GATHERED_NAMES_MAX ? named->name : "other");
            (void)mw_buffer_printf(out, "} %" PRIu64 "\n", row_number(&named_rows[row], named));
        }
    }
}

static void print_meshes(struct mw_buffer *out, mw_server *server)
{
    struct gathered *all = mw_alloc_zeroed(server->app_count, sizeof *all);
    size_t i, k;

    if (!all) {
        out->error = -ENOMEM;
        return;
    }
    for (i = 0; i < server->app_count; i++) {
        gathered_fill(&all[i], server->reactor.apps[i]);
        edge_worked(server->reactor.edge, all[i].seen / TASKLETS_A_STEP);
        server_add_gathered(server, i, &all[i]);
    }
    for (k = 0; k < MW_COUNT(mesh_rows); k++) {
        family(out, mesh_rows[k].name, mesh_rows[k].kind, mesh_rows[k].help);
        for (i = 0; i < server->app_count; i++)
            app_line(out, mesh_rows[k].name, server->apps[i], row_number(&mesh_rows[k], &all[i].mesh));
    }
    for (k = 0; k < MW_COUNT(named_rows); k++)
        print_named(out, server, all, k);
    mw_free(all);
}

int metrics_print(mw_server *server, mw_value *ret)
{
    struct mw_buffer out;
    mw_value text = mw_null();
    int err;

    mw_buffer_init(&out, METRICS_BYTES_MAX);
    print_process(&out, server);
    print_edge(&out, server);
    print_shedding(&out, server);
    print_limits(&out, server);
    print_gate(&out, server);
    print_audit(&out, server);
    print_apps(&out, server);
    print_meshes(&out, server);
    edge_worked(server->reactor.edge, out.count / BYTES_A_STEP);
    err = out.error;
    if (err == 0)
        text = mw_text_n((const char *)out.data, out.count);
    if (mw_kind_of(text) == MW_MISSING)
        err = -ENOMEM;
    mw_buffer_clear(&out);
    if (err == 0)
        *ret = text;
    return err;
}
