/* The device link: frames in and out, sessions, exactly-once requests. See docs/LINK.md. */
#ifndef EK_LINK_H
#define EK_LINK_H

#include "ek_layout.h"

#include <stdint.h>

/* Largest payload this build accepts; HELLO agrees on at most this. */
#ifndef EK_LINK_MTU_BYTES
#define EK_LINK_MTU_BYTES 1024u
#endif

/* What a command writes: up to `room` bytes at `payload`. On an error, `detail` and `text` (may be
 * 0) say more. */
typedef struct {
    uint8_t *payload;
    uint32_t room;
    uint32_t length;
    uint32_t detail;
    const char *text;
} ek_reply;

typedef struct {
    uint32_t rx_ok, crc_errors, cobs_errors, replays, stale, bad_session, tx_frames;
} ek_link_counters;

extern ek_link_counters ek_link_count;

/* Reads what the port has; returns 0 when there was nothing. */
uint32_t ek_link_poll(void);

/* Nothing was received for about two seconds: back to text, partial frames are dropped. */
void ek_link_quiet(void);

/* Ends the session, so that nothing binary is sent before the next HELLO. */
void ek_link_close(void);

/* Sends an event in the current session, if there is one. */
void ek_link_event(uint32_t command, const uint8_t *payload, uint32_t length);

/* Provided by the application: runs one command; 0 or EK_ERR_... */
uint32_t ek_app_command(uint32_t command, const uint8_t *payload, uint32_t length, ek_reply *reply);

/* Provided by the application: its part of the HELLO reply, EK_HELLO_BYTES zeroed at `payload`. */
void ek_app_hello(uint8_t *payload);

/* Provided by the application: a reply has left (RESET acts only then). */
void ek_app_replied(void);

#endif
