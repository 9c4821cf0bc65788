#include "ek_app.h"

#include "build_id.h"
#include "ek_ee.h"
#include "ek_frames.h"
#include "ek_link.h"
#include "ek_port.h"
#include "ek_run.h"
#include "ek_store.h"
#include "model.h"

#if MODEL_TRACE
#define TRACE_CAP EK_CAP_TRACE
#else
#define TRACE_CAP 0u
#endif
#define CAPS (EK_CAP_STORE | EK_CAP_RUN | EK_CAP_TEXT | EK_CAP_CYCLES | EK_CAP_SHA256 | TRACE_CAP)

static const uint8_t build_id[16] = EK_BUILD_ID;
static const uint8_t model_hash[16] = EK_MODEL_HASH;

static uint32_t inferences;
static uint32_t cold_cycles;
static uint32_t cold_start_us;
static uint32_t reset_pending;

void ek_app_load(const uint8_t *input)
{
    int8_t *to = model_input();

    for (uint32_t i = 0; i < MODEL_INPUT_BYTES; i++) {
        to[i] = input == 0 ? 0 : (int8_t)(input[i] < 128u ? input[i] : (int32_t)input[i] - 256);
    }
}

uint32_t ek_app_infer(uint32_t last)
{
    uint32_t t0, t1;

    ek_port_mark(1);
    t0 = ek_port_cycles();
    model_run();
    t1 = ek_port_cycles();
    if (last) {
        ek_port_mark(0);
    }
    inferences++;
    return t1 - t0;
}

void ek_app_hello(uint8_t *out)
{
    uint32_t store_bytes;
    const char *board = ek_port_board();

    (void)ek_port_store(&store_bytes);
    out[EK_HELLO_KIND] = (uint8_t)ek_port_kind();
    ek_put16(out + EK_HELLO_RESET_REASON, ek_port_reset_reason());
    ek_put16(out + EK_HELLO_NODES, MODEL_NODES);
    ek_put32(out + EK_HELLO_CAPS, CAPS);
    ek_put32(out + EK_HELLO_BOOT_COUNT, ek_port_boot_count());
    ek_put32(out + EK_HELLO_CLOCK_HZ, ek_port_clock_hz());
    ek_put32(out + EK_HELLO_BAUD, ek_port_baud());
    ek_put32(out + EK_HELLO_INPUT_BYTES, MODEL_INPUT_BYTES);
    ek_put32(out + EK_HELLO_OUTPUT_BYTES, MODEL_OUTPUT_BYTES);
    ek_put32(out + EK_HELLO_STORE_BYTES, store_bytes);
    ek_put32(out + EK_HELLO_COLD_START_US, cold_start_us);
    ek_put32(out + EK_HELLO_COLD_CYCLES, cold_cycles);
    ek_port_uid(out + EK_HELLO_UID);
    ek_copy(out + EK_HELLO_BUILD_ID, build_id, 16);
    ek_copy(out + EK_HELLO_MODEL_HASH, model_hash, 16);
    for (uint32_t i = 0; i < 23u && board[i] != 0; i++) {
        out[EK_HELLO_BOARD + i] = (uint8_t)board[i];
    }
}

static uint32_t info(ek_reply *reply)
{
    static const char name[] = MODEL_NAME;
    uint8_t *out = reply->payload;
    uint32_t store_bytes;

    (void)ek_port_store(&store_bytes);
    ek_put32(out + EK_INFO_NODES, MODEL_NODES);
    ek_put32(out + EK_INFO_ARENA_BYTES, MODEL_ARENA_BYTES);
    ek_put32(out + EK_INFO_OUTPUT_ZERO_POINT, (uint32_t)(MODEL_OUTPUT_ZERO_POINT));
    ek_put32(out + EK_INFO_OUTPUT_SCALE_NANO, MODEL_OUTPUT_SCALE_NANO);
    ek_put32(out + EK_INFO_STORE_BYTES, store_bytes);
    ek_put32(out + EK_INFO_DEVICE_ID, ek_port_device_id());
    ek_put64(out + EK_INFO_UPTIME_US, ek_port_time_us());
    reply->length = EK_INFO_BYTES;
    for (uint32_t i = 0; name[i] != 0 && reply->length < reply->room; i++) {
        out[reply->length++] = (uint8_t)name[i];
    }
    return 0;
}

static uint32_t stats(ek_reply *reply)
{
    uint8_t *out = reply->payload;

    ek_put32(out + EK_STATS_RX_OK, ek_link_count.rx_ok);
    ek_put32(out + EK_STATS_CRC_ERRORS, ek_link_count.crc_errors);
    ek_put32(out + EK_STATS_COBS_ERRORS, ek_link_count.cobs_errors);
    ek_put32(out + EK_STATS_OVERRUNS, ek_port_overruns());
    ek_put32(out + EK_STATS_REPLAYS, ek_link_count.replays);
    ek_put32(out + EK_STATS_STALE, ek_link_count.stale);
    ek_put32(out + EK_STATS_BAD_SESSION, ek_link_count.bad_session);
    ek_put32(out + EK_STATS_TX_FRAMES, ek_link_count.tx_frames);
    ek_put32(out + EK_STATS_TEXT_COMMANDS, ek_ee_commands());
    ek_put32(out + EK_STATS_INFERENCES, inferences);
    reply->length = EK_STATS_BYTES;
    return 0;
}

/* Bytes of [data, data+size) from `offset` on, as many as fit after what the reply holds. */
static void append(ek_reply *reply, const int8_t *data, uint32_t size, uint32_t offset)
{
    while (offset < size && reply->length < reply->room) {
        reply->payload[reply->length++] = (uint8_t)data[offset++];
    }
}

static uint32_t infer(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t slot;
    const uint8_t *input;

    if (length < EK_INFER_REQUEST_BYTES) {
        return EK_ERR_BAD_ARG;
    }
    slot = ek_get32(p + EK_INFER_REQUEST_SLOT);
    input = ek_store_slot(slot);
    if (slot == EK_INLINE_SLOT) {
        input = p + EK_INFER_REQUEST_BYTES;
        if (length != EK_INFER_REQUEST_BYTES + MODEL_INPUT_BYTES) {
            reply->detail = length - EK_INFER_REQUEST_BYTES;
            reply->text = "input has another size";
            return EK_ERR_BAD_ARG;
        }
    } else if (input == 0) {
        reply->text = "slot is outside the stored set";
        return EK_ERR_OUT_OF_RANGE;
    }
    ek_app_load(input);
    ek_put32(reply->payload + EK_INFER_REPLY_CYCLES, ek_app_infer(1));
    ek_put32(reply->payload + EK_INFER_REPLY_STATUS, 0);
    ek_put32(reply->payload + EK_INFER_REPLY_OUTPUT_BYTES, MODEL_OUTPUT_BYTES);
    reply->length = EK_INFER_REPLY_BYTES;
    append(reply, model_output(), MODEL_OUTPUT_BYTES, 0);
    return 0;
}

static uint32_t output(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    if (length != EK_OUTPUT_REQUEST_BYTES) {
        return EK_ERR_BAD_ARG;
    }
    append(reply, model_output(), MODEL_OUTPUT_BYTES, ek_get32(p + EK_OUTPUT_REQUEST_OFFSET));
    return 0;
}

#if MODEL_TRACE
static uint32_t trace(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t node, offset;
    int32_t bytes = 0;
    const int8_t *tensor;
    const uint8_t *input;

    if (length != EK_TRACE_REQUEST_BYTES) {
        return EK_ERR_BAD_ARG;
    }
    node = ek_get32(p + EK_TRACE_REQUEST_NODE);
    offset = ek_get32(p + EK_TRACE_REQUEST_OFFSET);
    input = ek_store_slot(ek_get32(p + EK_TRACE_REQUEST_SLOT));
    if (node >= MODEL_NODES || input == 0) {
        return EK_ERR_OUT_OF_RANGE;
    }
    if (offset == 0) {
        model_trace_stop = (int32_t)node;
        ek_app_load(input);
        (void)ek_app_infer(1);
        model_trace_stop = -1;
    }
    tensor = model_trace_tensor((int32_t)node, &bytes);
    ek_put32(reply->payload + EK_TRACE_REPLY_SIZE, (uint32_t)bytes);
    ek_put32(reply->payload + EK_TRACE_REPLY_OFFSET, offset);
    reply->length = EK_TRACE_REPLY_BYTES;
    append(reply, tensor, (uint32_t)bytes, offset);
    return 0;
}
#endif

/* Commands that use the model, the arena or the store, and so have to wait for a RUN to end. */
static uint32_t needs_model(uint32_t command)
{
    switch (command) {
    case EK_CMD_OPEN:
    case EK_CMD_WRITE:
    case EK_CMD_COMMIT:
    case EK_CMD_INFER:
    case EK_CMD_OUTPUT:
    case EK_CMD_RUN:
    case EK_CMD_TRACE:
        return 1;
    default:
        return 0;
    }
}

uint32_t ek_app_command(uint32_t command, const uint8_t *payload, uint32_t length, ek_reply *reply)
{
    if (ek_run_active() && needs_model(command)) {
        return EK_ERR_BUSY;
    }
    switch (command) {
    case EK_CMD_INFO:
        return info(reply);
    case EK_CMD_STATS:
        return stats(reply);
    case EK_CMD_RESET:
        reset_pending = 1;
        return 0;
    case EK_CMD_OPEN:
    case EK_CMD_WRITE:
    case EK_CMD_COMMIT:
    case EK_CMD_STATUS:
        return ek_store_command(command, payload, length, reply);
    case EK_CMD_INFER:
        return infer(payload, length, reply);
    case EK_CMD_OUTPUT:
        return output(payload, length, reply);
    case EK_CMD_RUN:
    case EK_CMD_RUN_STATUS:
    case EK_CMD_RUN_STOP:
    case EK_CMD_READ:
        return ek_run_command(command, payload, length, reply);
#if MODEL_TRACE
    case EK_CMD_TRACE:
        return trace(payload, length, reply);
#endif
    default:
        return EK_ERR_UNKNOWN_CMD;
    }
}

void ek_app_replied(void)
{
    if (reset_pending) {
        reset_pending = 0;
        ek_port_flush();
        ek_port_reset();
    }
}

/* The first inference, on zeros: what a cold start costs, and caches warmed for the others. */
static void cold_start(void)
{
    uint32_t start = ek_port_cycles();
    uint32_t mhz = ek_port_clock_hz() / 1000000u;
    uint32_t boot_us = ek_port_boot_us();

    ek_app_load(0);
    cold_cycles = ek_app_infer(1);
    if (boot_us != 0 && mhz != 0) {
        cold_start_us = boot_us + (ek_port_cycles() - start) / mhz;
    }
}

/* What came before the banner is not answered: the banner ends with m-ready as an answer does, and
 * a text host that got two for one command would read every later answer one command late. */
static void forget_input(void)
{
    while (ek_port_read() >= 0) {
    }
}

void ek_app_main(void)
{
    uint32_t quiet = 0;

    ek_port_init();
    cold_start();
    ek_port_start_time();
    ek_store_init();
    forget_input();
    ek_ee_banner();
    for (;;) {
        if (ek_link_poll()) {
            quiet = 0;
        } else if (!ek_run_active()) {
            quiet = ek_port_idle() ? quiet + 1 : 0;
            if (quiet == 2) { /* ticks have any phase: two of them are at least one whole tick */
                ek_link_quiet();
            }
        }
        if (ek_run_active()) {
            ek_run_step();
        }
    }
}
