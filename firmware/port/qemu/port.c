/* What the machines of QEMU have in common: time is counted in instructions, and what this port
 * calls cycles are instructions. */
#include "ek_port.h"

#include "ek_layout.h"
#include "emulated.h"
#include "machine.h"

#define BOOT_MAGIC 0x424F4F54u
#define IDLE_US 2000000u

extern uint8_t ek_store_start[], ek_store_end[];

static struct {
    uint32_t magic;
    uint32_t count;
} boot __attribute__((section(".noinit")));

static uint32_t boot_us;
/* Time base: whole microseconds up to `ticks_seen`, in steps that need no 64-bit division. */
static uint64_t us_total;
static uint32_t ticks_seen;
static uint32_t cycles_total, cycles_ticks;

uint32_t ek_port_instructions(uint32_t ticks)
{
    const uint64_t half = 1u << (EK_TICK_SHIFT - 1u);

    return (uint32_t)((ticks * (uint64_t)EK_TICK_FACTOR + half) >> EK_TICK_SHIFT);
}

uint64_t ek_port_time_us(void)
{
    uint32_t us = (ek_port_ticks() - ticks_seen) / EK_TICKS_PER_US;

    ticks_seen += us * EK_TICKS_PER_US; /* 134 s or more a turn; somebody comes by every 2 s */
    us_total += us;
    return us_total;
}

void ek_port_init(void)
{
    if (boot.magic != BOOT_MAGIC) {
        boot.magic = BOOT_MAGIC;
        boot.count = 0;
    }
    boot.count++;
    ek_machine_start();
    boot_us = ek_port_ticks() / EK_TICKS_PER_US;
}

void ek_port_start_time(void)
{
    ticks_seen = ek_port_ticks();
}

uint32_t ek_port_boot_us(void)
{
    return boot_us;
}

int32_t ek_port_idle(void)
{
    uint64_t end = ek_port_time_us() + IDLE_US;

    while (!ek_machine_has_byte()) {
        uint64_t now = ek_port_time_us();
        if (now >= end) {
            return 1;
        }
        ek_machine_wait_us((uint32_t)(end - now));
    }
    return 0;
}

void ek_port_sleep_until(uint64_t t_us)
{
    uint64_t now = ek_port_time_us();

    while (now < t_us) {
        ek_machine_wait_us(t_us - now > IDLE_US ? IDLE_US : (uint32_t)(t_us - now));
        now = ek_port_time_us();
    }
}

/* Exact between one call and the next, whatever fraction of an instruction a sleep has taken. */
uint32_t ek_port_cycles(void)
{
    uint32_t now = ek_port_ticks();

    cycles_total += ek_port_instructions(now - cycles_ticks);
    cycles_ticks = now;
    return cycles_total;
}

void ek_port_mark(uint32_t on)
{
    (void)on;
}

uint32_t ek_port_kind(void)
{
    return EK_KIND_VIRTUAL;
}

uint32_t ek_port_device_id(void)
{
    return EK_MACHINE_ID;
}

uint32_t ek_port_clock_hz(void)
{
    return 1000000000u / EK_INSTRUCTION_NS;
}

uint32_t ek_port_baud(void)
{
    return 115200u;
}

uint32_t ek_port_boot_count(void)
{
    return boot.count;
}

uint32_t ek_port_reset_reason(void)
{
    return boot.count > 1u ? EK_RESET_SOFTWARE : EK_RESET_POWER;
}

void ek_port_uid(uint8_t uid[16])
{
    static const char text[16] = "qemu-" EK_MACHINE;

    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = (uint8_t)text[i];
    }
}

const char *ek_port_board(void)
{
    return EK_MACHINE_BOARD;
}

uint8_t *ek_port_store(uint32_t *bytes)
{
    *bytes = (uint32_t)(ek_store_end - ek_store_start);
    return ek_store_start;
}
