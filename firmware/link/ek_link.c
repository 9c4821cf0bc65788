#include "ek_link.h"

#include "ek_ee.h"
#include "ek_frames.h"
#include "ek_port.h"
#include "ek_run.h"

#define CRC_BYTES 4u
#define RAW_BYTES (EK_HEADER_BYTES + EK_LINK_MTU_BYTES + CRC_BYTES)
#define EVENT_BYTES (EK_HEADER_BYTES + 64u + CRC_BYTES)

ek_link_counters ek_link_count;

/* Received bytes between two delimiters, encoded; COBS adds one byte per 254 and one. */
static uint8_t rx[RAW_BYTES + RAW_BYTES / 254u + 1u];
static uint32_t rx_fill;
static uint32_t in_frame; /* 0: bytes are text */

/* The latest reply, kept to be sent again: header, payload and room for the CRC. */
static uint8_t tx[RAW_BYTES];
static uint32_t tx_length; /* of the payload */

static uint8_t event[EVENT_BYTES];
static uint32_t event_sequence;

static struct {
    uint32_t active;
    uint32_t id;
    uint32_t nonce;
    uint32_t hello_sequence;
    uint32_t last_sequence;
    uint32_t mtu;
} session;

/* Sends header and payload at `raw` with their CRC; raw has room for it. */
static void send(uint8_t *raw, uint32_t length)
{
    static uint8_t block[EK_COBS_BLOCK_BYTES];
    static const uint8_t delimiter = 0;
    uint32_t total = EK_HEADER_BYTES + length;
    uint32_t used = 0;
    uint32_t more = 1;

    ek_put32(raw + total, ek_crc32(0, raw, total));
    total += CRC_BYTES;
    ek_port_write(&delimiter, 1);
    while (more) {
        uint32_t size = ek_cobs_block(raw, total, &used, &more, block);
        ek_port_write(block, size);
    }
    ek_port_write(&delimiter, 1);
    ek_link_count.tx_frames++;
}

static void put_header(uint8_t *raw, uint32_t type, uint32_t command, uint32_t sequence,
                       uint32_t id, uint32_t length)
{
    raw[EK_HEADER_MAGIC] = EK_MAGIC;
    raw[EK_HEADER_TYPE] = (uint8_t)type;
    raw[EK_HEADER_COMMAND] = (uint8_t)command;
    raw[EK_HEADER_FLAGS] = 0;
    ek_put16(raw + EK_HEADER_SEQUENCE, sequence);
    ek_put16(raw + EK_HEADER_SESSION, id);
    ek_put16(raw + EK_HEADER_LENGTH, length);
}

static uint32_t put_error(uint8_t *payload, uint32_t code, uint32_t detail, const char *text)
{
    uint32_t n = 0;

    ek_put16(payload + EK_ERROR_REPLY_CODE, code);
    ek_put16(payload + EK_ERROR_REPLY_DETAIL, detail);
    while (text != 0 && text[n] != 0 && n < EK_ERROR_TEXT_BYTES - EK_ERROR_REPLY_BYTES) {
        payload[EK_ERROR_REPLY_BYTES + n] = (uint8_t)text[n];
        n++;
    }
    return EK_ERROR_REPLY_BYTES + n;
}

/* An error outside the session: the kept reply stays as it is. */
static void refuse(const uint8_t *request, uint32_t code)
{
    uint32_t length = put_error(event + EK_HEADER_BYTES, code, 0, 0);

    put_header(event, EK_TYPE_ERR, request[EK_HEADER_COMMAND],
               ek_get16(request + EK_HEADER_SEQUENCE), ek_get16(request + EK_HEADER_SESSION),
               length);
    send(event, length);
}

/* A session number that differs from the one before and from other starts' numbers. */
static uint32_t new_session(uint32_t nonce)
{
    uint32_t x = (nonce ^ (ek_port_boot_count() * 0x9E3779B9u)) * 0x85EBCA6Bu;
    uint32_t id = (x >> 16) & 0xFFFFu;

    while (id == 0 || id == session.id) {
        id = (id + 1u) & 0xFFFFu;
    }
    return id;
}

static void hello(const uint8_t *request, const uint8_t *payload, uint32_t length)
{
    uint32_t sequence = ek_get16(request + EK_HEADER_SEQUENCE);
    uint32_t mtu, nonce;
    uint8_t *out = tx + EK_HEADER_BYTES;

    if (length < EK_HELLO_REQUEST_BYTES || payload[EK_HELLO_REQUEST_PROTO_MIN] > EK_PROTOCOL ||
        payload[EK_HELLO_REQUEST_PROTO_MAX] < EK_PROTOCOL) {
        refuse(request, EK_ERR_BAD_VERSION);
        return;
    }
    nonce = ek_get32(payload + EK_HELLO_REQUEST_NONCE);
    mtu = ek_get16(payload + EK_HELLO_REQUEST_MTU);
    if (session.active && nonce == session.nonce) {
        if (session.last_sequence != session.hello_sequence) {
            ek_link_count.stale++; /* a late copy: the host has gone on in this session */
            return;
        }
    } else {
        session.id = new_session(nonce);
        ek_run_stop(); /* whoever started it has gone */
    }
    session.active = 1;
    session.nonce = nonce;
    session.hello_sequence = sequence;
    session.last_sequence = sequence;
    session.mtu = mtu < EK_MTU_MIN_BYTES ? EK_MTU_MIN_BYTES : mtu;
    session.mtu = session.mtu > EK_LINK_MTU_BYTES ? EK_LINK_MTU_BYTES : session.mtu;
    for (uint32_t i = 0; i < EK_HELLO_BYTES; i++) {
        out[i] = 0;
    }
    ek_app_hello(out);
    out[EK_HELLO_PROTO] = EK_PROTOCOL;
    ek_put16(out + EK_HELLO_MTU, session.mtu);
    ek_put16(out + EK_HELLO_SESSION, session.id);
    ek_put16(out + EK_HELLO_RX_WINDOW, 1);
    ek_put32(out + EK_HELLO_NONCE, nonce);
    tx_length = EK_HELLO_BYTES;
    put_header(tx, EK_TYPE_RSP, EK_CMD_HELLO, sequence, session.id, tx_length);
    send(tx, tx_length);
}

static void execute(const uint8_t *request, const uint8_t *payload, uint32_t length)
{
    uint32_t command = request[EK_HEADER_COMMAND];
    ek_reply reply = {tx + EK_HEADER_BYTES, session.mtu, 0, 0, 0};
    uint32_t type = EK_TYPE_RSP;
    uint32_t error = 0;

    if (length > session.mtu) {
        error = EK_ERR_OUT_OF_RANGE;
    } else if (command != EK_CMD_BYE) {
        error = ek_app_command(command, payload, length, &reply);
    }
    if (error) {
        type = EK_TYPE_ERR;
        reply.length = put_error(reply.payload, error, reply.detail, reply.text);
    }
    session.last_sequence = ek_get16(request + EK_HEADER_SEQUENCE);
    tx_length = reply.length;
    put_header(tx, type, command, session.last_sequence, session.id, tx_length);
    send(tx, tx_length);
    if (command == EK_CMD_BYE) {
        ek_link_close();
    }
    ek_app_replied();
}

static void request_frame(const uint8_t *raw, uint32_t length)
{
    uint32_t sequence = ek_get16(raw + EK_HEADER_SEQUENCE);
    const uint8_t *payload = raw + EK_HEADER_BYTES;
    uint32_t ahead;

    if (raw[EK_HEADER_COMMAND] == EK_CMD_HELLO) {
        hello(raw, payload, length);
        return;
    }
    if (!session.active || ek_get16(raw + EK_HEADER_SESSION) != session.id) {
        ek_link_count.bad_session++;
        refuse(raw, EK_ERR_BAD_SESSION);
        return;
    }
    ahead = (sequence - session.last_sequence) & 0xFFFFu;
    if (ahead == 0) {
        ek_link_count.replays++;
        tx[EK_HEADER_FLAGS] |= EK_FLAG_REPLAY;
        send(tx, tx_length);
    } else if (ahead >= 0x8000u) {
        ek_link_count.stale++; /* older than the latest: its answer was received long ago */
    } else {
        execute(raw, payload, length);
    }
}

static void frame(void)
{
    uint32_t n = rx_fill <= sizeof rx ? ek_cobs_decode(rx, rx_fill) : EK_COBS_BAD;
    uint32_t length;

    if (n == EK_COBS_BAD || n < EK_HEADER_BYTES + CRC_BYTES) {
        ek_link_count.cobs_errors++;
        return;
    }
    n -= CRC_BYTES;
    if (ek_crc32(0, rx, n) != ek_get32(rx + n)) {
        ek_link_count.crc_errors++;
        return;
    }
    length = ek_get16(rx + EK_HEADER_LENGTH);
    if (rx[EK_HEADER_TYPE] != EK_TYPE_REQ || length != n - EK_HEADER_BYTES) {
        ek_link_count.cobs_errors++;
        return;
    }
    ek_link_count.rx_ok++;
    if (rx[EK_HEADER_MAGIC] != EK_MAGIC) {
        refuse(rx, EK_ERR_BAD_VERSION);
        return;
    }
    request_frame(rx, length);
}

static void receive(uint8_t byte)
{
    if (byte != 0 && !in_frame) {
        ek_ee_byte(byte);
    } else if (byte != 0) {
        if (rx_fill < sizeof rx) {
            rx[rx_fill] = byte;
        }
        rx_fill += rx_fill <= sizeof rx; /* one more than fits marks a frame that is too long */
    } else {
        in_frame = 1;
        ek_ee_reset();
        if (rx_fill > 0) {
            frame();
        }
        rx_fill = 0;
    }
}

uint32_t ek_link_poll(void)
{
    uint32_t n = 0;
    int32_t byte = ek_port_read();

    while (byte >= 0) {
        receive((uint8_t)byte);
        n++;
        byte = ek_port_read();
    }
    return n;
}

void ek_link_quiet(void)
{
    in_frame = 0;
    rx_fill = 0;
}

void ek_link_close(void)
{
    session.active = 0;
    ek_link_quiet();
}

void ek_link_event(uint32_t command, const uint8_t *payload, uint32_t length)
{
    if (!session.active || length > EVENT_BYTES - EK_HEADER_BYTES - CRC_BYTES) {
        return;
    }
    event_sequence++;
    ek_copy(event + EK_HEADER_BYTES, payload, length);
    put_header(event, EK_TYPE_EVT, command, event_sequence, session.id, length);
    send(event, length);
}
