#include "ek_store.h"

#include "ek_frames.h"
#include "ek_port.h"
#include "ek_sha256.h"
#include "model.h"

#include <stddef.h>

#define RECORD_MAGIC 0x454B5354u

/* Outlives a reset that keeps the RAM, so that an upload goes on where it was. */
static struct {
    uint32_t magic;
    uint32_t kind;
    uint32_t state;
    uint32_t length;
    uint32_t offset;
    uint8_t sha256[32];
    uint32_t check; /* CRC of the above: power-on RAM is noise */
} record EK_NOINIT;

static uint32_t record_crc(void)
{
    return ek_crc32(0, (const uint8_t *)&record, (uint32_t)offsetof(__typeof__(record), check));
}

static void record_seal(void) { record.check = record_crc(); }

static void record_clear(void)
{
    record.magic = RECORD_MAGIC;
    record.kind = 0;
    record.state = EK_TRANSFER_NONE;
    record.length = 0;
    record.offset = 0;
    for (uint32_t i = 0; i < 32; i++) {
        record.sha256[i] = 0;
    }
    record_seal();
}

void ek_store_init(void)
{
    uint32_t room;

    (void)ek_port_store(&room);
    if (record.magic != RECORD_MAGIC || record.check != record_crc() || record.length > room ||
        record.offset > record.length) {
        record_clear();
    } else if (record.state == EK_TRANSFER_COMMITTED) {
        record.state = EK_TRANSFER_OPEN; /* COMMIT checks the digest again */
        record_seal();
    }
}

static uint32_t handle(void) { return (ek_crc32(0, record.sha256, 32) & 0xFFFFu) | 1u; }

static uint32_t open_transfer(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t room, total, chunk;
    const uint8_t *sha = p + EK_OPEN_REQUEST_SHA256;

    if (length != EK_OPEN_REQUEST_BYTES || p[EK_OPEN_REQUEST_KIND] != EK_TRANSFER_KIND_INPUTS) {
        return EK_ERR_BAD_ARG;
    }
    total = ek_get32(p + EK_OPEN_REQUEST_LENGTH);
    (void)ek_port_store(&room);
    if (total == 0 || total % MODEL_INPUT_BYTES != 0) {
        reply->text = "length is no multiple of the model's input";
        return EK_ERR_BAD_ARG;
    }
    if (total > room) {
        reply->text = "input set is larger than the store";
        return EK_ERR_NO_MEM;
    }
    if (p[EK_OPEN_REQUEST_RESTART] || record.state == EK_TRANSFER_NONE || record.length != total ||
        !ek_equal(record.sha256, sha, 32)) {
        record_clear();
        record.length = total;
        ek_copy(record.sha256, sha, 32);
    }
    record.kind = EK_TRANSFER_KIND_INPUTS;
    record.state = EK_TRANSFER_OPEN;
    record_seal();
    chunk = reply->room - EK_WRITE_REQUEST_BYTES;
    if (ek_get16(p + EK_OPEN_REQUEST_CHUNK) != 0 && ek_get16(p + EK_OPEN_REQUEST_CHUNK) < chunk) {
        chunk = ek_get16(p + EK_OPEN_REQUEST_CHUNK);
    }
    ek_put16(reply->payload + EK_OPEN_REPLY_HANDLE, handle());
    ek_put16(reply->payload + EK_OPEN_REPLY_CHUNK, chunk);
    ek_put32(reply->payload + EK_OPEN_REPLY_OFFSET, record.offset);
    reply->length = EK_OPEN_REPLY_BYTES;
    return 0;
}

static uint32_t write_chunk(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t room;
    uint8_t *store = ek_port_store(&room);
    uint32_t n = length - EK_WRITE_REQUEST_BYTES;

    if (length < EK_WRITE_REQUEST_BYTES || n > record.length) {
        return EK_ERR_BAD_ARG;
    }
    if (record.state != EK_TRANSFER_OPEN || ek_get16(p + EK_WRITE_REQUEST_HANDLE) != handle()) {
        reply->text = "no such transfer is open";
        return EK_ERR_BAD_ARG;
    }
    /* Any other offset is answered with the right one: the host goes on from there. */
    if (ek_get32(p + EK_WRITE_REQUEST_OFFSET) == record.offset) {
        if (n > record.length - record.offset) {
            return EK_ERR_OUT_OF_RANGE;
        }
        ek_copy(store + record.offset, p + EK_WRITE_REQUEST_BYTES, n);
        record.offset += n;
        record_seal();
    }
    ek_put32(reply->payload + EK_WRITE_REPLY_OFFSET, record.offset);
    reply->length = EK_WRITE_REPLY_BYTES;
    return 0;
}

static uint32_t commit(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t room;
    const uint8_t *store = ek_port_store(&room);
    uint8_t digest[32];

    if (length != EK_COMMIT_REQUEST_BYTES || record.state == EK_TRANSFER_NONE ||
        ek_get16(p + EK_COMMIT_REQUEST_HANDLE) != handle()) {
        reply->text = "no such transfer is open";
        return EK_ERR_BAD_ARG;
    }
    if (record.offset != record.length) {
        reply->text = "bytes are missing";
        return EK_ERR_BAD_ARG;
    }
    ek_sha256(store, record.length, digest);
    if (!ek_equal(digest, record.sha256, 32)) {
        record.state = EK_TRANSFER_OPEN;
        record.offset = 0;
        record_seal();
        return EK_ERR_HASH_MISMATCH;
    }
    record.state = EK_TRANSFER_COMMITTED;
    record_seal();
    ek_put32(reply->payload + EK_COMMIT_REPLY_LENGTH, record.length);
    ek_put32(reply->payload + EK_COMMIT_REPLY_SLOTS, ek_store_slots());
    reply->length = EK_COMMIT_REPLY_BYTES;
    return 0;
}

static uint32_t status(ek_reply *reply)
{
    uint8_t *out = reply->payload;

    ek_put16(out + EK_STATUS_REPLY_HANDLE, record.state == EK_TRANSFER_NONE ? 0 : handle());
    out[EK_STATUS_REPLY_STATE] = (uint8_t)record.state;
    out[EK_STATUS_REPLY_KIND] = (uint8_t)record.kind;
    ek_put32(out + EK_STATUS_REPLY_OFFSET, record.offset);
    ek_put32(out + EK_STATUS_REPLY_LENGTH, record.length);
    ek_copy(out + EK_STATUS_REPLY_SHA256, record.sha256, 32);
    reply->length = EK_STATUS_REPLY_BYTES;
    return 0;
}

uint32_t ek_store_command(uint32_t command, const uint8_t *payload, uint32_t length,
                          ek_reply *reply)
{
    switch (command) {
    case EK_CMD_OPEN:
        return open_transfer(payload, length, reply);
    case EK_CMD_WRITE:
        return write_chunk(payload, length, reply);
    case EK_CMD_COMMIT:
        return commit(payload, length, reply);
    case EK_CMD_STATUS:
        return status(reply);
    default:
        return EK_ERR_UNKNOWN_CMD;
    }
}

uint32_t ek_store_slots(void)
{
    return record.state == EK_TRANSFER_COMMITTED ? record.length / MODEL_INPUT_BYTES : 0;
}

const uint8_t *ek_store_slot(uint32_t slot)
{
    uint32_t room;

    return slot < ek_store_slots() ? ek_port_store(&room) + slot * MODEL_INPUT_BYTES : 0;
}

uint8_t *ek_store_take(uint32_t *bytes)
{
    record_clear();
    return ek_port_store(bytes);
}
