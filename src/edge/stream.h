/* What a WebSocket connection is between stream.c, which speaks it, and move.c, by which it goes to another edge.
 * Not for others in this room; they see edge_priv.h.
 * SPDX-License-Identifier: MIT */
#ifndef EDGE_STREAM_H
#define EDGE_STREAM_H

#include "edge/edge_priv.h"

/* Of one that says nothing this is all there is, so it is kept small. */
struct stream {
    struct websocket_decoder *decoder; /* NULL: between frames, where there is nothing to remember */
    struct edge_connection *owner;
    struct extension *extension; /* NULL: messages come and go as they are */
    void *connection;         /* the app's */
    struct mw_link throttled; /* edge.throttled: over its message rate */
    int64_t tokens_ns;        /* when tokens was last filled */
    uint32_t tokens;          /* messages that may come now */
    uint32_t heard;           /* ticks: when the peer last sent anything */
    uint32_t message;         /* ticks: when the message under way began; 0: none is */
    uint32_t second;          /* ticks: when the second began that controls counts */
    union {
        uint32_t soft;        /* ticks. CONNECTION_OPEN: since when the queue is over the soft limit; 0: it is not */
        uint32_t closing;     /* after it: when our close frame was queued */
    };
    uint32_t soft_written;    /* KiB of connection.written then */
    unsigned controls : 24;   /* ping and pong frames in this second */
    unsigned pings : 8;       /* sent since the peer was last heard */
    uint16_t code;            /* what the app is told in the end */
    bool is_notified;
};

#endif
