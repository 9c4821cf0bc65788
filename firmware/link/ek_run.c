#include "ek_run.h"

#include "ek_app.h"
#include "ek_frames.h"
#include "ek_port.h"
#include "ek_store.h"

static struct {
    uint32_t state;
    uint32_t first, count, n, period_us, batch; /* as asked */
    uint32_t done;                              /* inferences */
    uint32_t min, max, missed;
    uint64_t sum;
    uint64_t start_us, next_us, end_us;
} run;

static uint32_t log_cycles[EK_CYCLE_LOG_ENTRIES];

static void put_record(uint8_t *out)
{
    uint64_t end = run.state == EK_RUN_RUNNING ? ek_port_time_us() : run.end_us;

    ek_put32(out + EK_RUN_RECORD_STATE, run.state);
    ek_put32(out + EK_RUN_RECORD_N, run.done);
    ek_put32(out + EK_RUN_RECORD_CYCLES_MIN, run.min);
    ek_put32(out + EK_RUN_RECORD_CYCLES_MAX, run.max);
    ek_put64(out + EK_RUN_RECORD_CYCLES_SUM, run.sum);
    ek_put32(out + EK_RUN_RECORD_MISSED, run.missed);
    ek_put32(out + EK_RUN_RECORD_RESERVED, 0);
    ek_put64(out + EK_RUN_RECORD_T_US, run.done ? end - run.start_us : 0);
}

static uint32_t begin(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t first, count, slots = ek_store_slots();

    if (length != EK_RUN_REQUEST_BYTES) {
        return EK_ERR_BAD_ARG;
    }
    if (slots == 0) {
        reply->text = "no input set is stored";
        return EK_ERR_NO_MEM;
    }
    first = ek_get32(p + EK_RUN_REQUEST_FIRST);
    count = ek_get32(p + EK_RUN_REQUEST_COUNT);
    if (count == 0 || first >= slots || count > slots - first) {
        reply->detail = slots;
        reply->text = "slots are outside the stored set";
        return EK_ERR_OUT_OF_RANGE;
    }
    /* A group cannot be interrupted, so its size is bounded. */
    if (ek_get32(p + EK_RUN_REQUEST_N) == 0 || ek_get32(p + EK_RUN_REQUEST_BATCH) == 0 ||
        ek_get32(p + EK_RUN_REQUEST_BATCH) > EK_BATCH_MAX) {
        return EK_ERR_BAD_ARG;
    }
    run.first = first;
    run.count = count;
    run.n = ek_get32(p + EK_RUN_REQUEST_N);
    run.period_us = ek_get32(p + EK_RUN_REQUEST_PERIOD_US);
    run.batch = ek_get32(p + EK_RUN_REQUEST_BATCH);
    run.state = EK_RUN_RUNNING;
    run.done = 0;
    run.min = 0xFFFFFFFFu;
    run.max = 0;
    run.missed = 0;
    run.sum = 0;
    return 0;
}

static uint32_t read_log(const uint8_t *p, uint32_t length, ek_reply *reply)
{
    uint32_t first, n, oldest;

    if (length != EK_READ_REQUEST_BYTES) {
        return EK_ERR_BAD_ARG;
    }
    first = ek_get32(p + EK_READ_REQUEST_FIRST);
    oldest = run.done > EK_CYCLE_LOG_ENTRIES ? run.done - EK_CYCLE_LOG_ENTRIES : 0;
    first = first < oldest ? oldest : first;
    first = first > run.done ? run.done : first;
    n = (reply->room - EK_READ_REPLY_BYTES) / 4u;
    n = n > run.done - first ? run.done - first : n;
    ek_put32(reply->payload + EK_READ_REPLY_TOTAL, run.done);
    ek_put32(reply->payload + EK_READ_REPLY_FIRST, first);
    for (uint32_t i = 0; i < n; i++) {
        ek_put32(reply->payload + EK_READ_REPLY_BYTES + 4u * i,
                 log_cycles[(first + i) % EK_CYCLE_LOG_ENTRIES]);
    }
    reply->length = EK_READ_REPLY_BYTES + 4u * n;
    return 0;
}

void ek_run_stop(void)
{
    if (run.state == EK_RUN_RUNNING) {
        run.state = EK_RUN_STOPPED;
        run.end_us = ek_port_time_us();
    }
}

uint32_t ek_run_command(uint32_t command, const uint8_t *payload, uint32_t length, ek_reply *reply)
{
    switch (command) {
    case EK_CMD_RUN:
        return begin(payload, length, reply);
    case EK_CMD_READ:
        return read_log(payload, length, reply);
    case EK_CMD_RUN_STOP:
        ek_run_stop();
        break;
    default:
        break;
    }
    put_record(reply->payload);
    reply->length = EK_RUN_RECORD_BYTES;
    return 0;
}

uint32_t ek_run_active(void) { return run.state == EK_RUN_RUNNING; }

static void finish(void)
{
    uint8_t payload[EK_RUN_RECORD_BYTES];

    run.state = EK_RUN_DONE;
    run.end_us = ek_port_time_us();
    put_record(payload);
    ek_link_event(EK_CMD_RUN, payload, EK_RUN_RECORD_BYTES);
}

/* One mark over the whole group: inferences shorter than a meter can see are metered together. */
static void group(void)
{
    uint32_t n = run.n - run.done < run.batch ? run.n - run.done : run.batch;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t cycles;
        ek_app_load(ek_store_slot(run.first + run.done % run.count));
        cycles = ek_app_infer(i + 1 == n);
        log_cycles[run.done % EK_CYCLE_LOG_ENTRIES] = cycles;
        run.done++;
        run.sum += cycles;
        run.min = cycles < run.min ? cycles : run.min;
        run.max = cycles > run.max ? cycles : run.max;
    }
}

void ek_run_step(void)
{
    uint64_t now = ek_port_time_us();

    if (run.done == 0) {
        ek_port_flush(); /* the reply to RUN is out before the clock runs */
        now = ek_port_time_us();
        run.start_us = now;
        run.next_us = now;
    } else if (now < run.next_us) {
        ek_port_sleep_until(run.next_us);
    } else if (run.period_us != 0 && now - run.next_us > 0) {
        run.missed++;
        run.next_us = now;
    }
    if (run.done >= run.n) { /* the last period has passed too: the window is n whole periods */
        finish();
        return;
    }
    group();
    run.next_us = run.period_us == 0 ? 0 : run.next_us + run.period_us;
}
