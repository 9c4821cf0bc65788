/* MPS2 AN386 in QEMU, run with `-icount shift=0`: one instruction is one nanosecond of its virtual
 * time, so a timer counts instructions, 40 a tick. "Cycles" of this port are instructions. */
#include "ek_port.h"

#include "ek_layout.h"
#include "oracle.h"
#include "registers.h"

#define BOOT_MAGIC 0x424F4F54u
#define TICKS_PER_US 25u
#define IDLE_US 2000000u

extern uint8_t ek_store_start[], ek_store_end[];

static struct {
    uint32_t magic;
    uint32_t count;
} boot __attribute__((section(".noinit")));

static uint32_t boot_us;
static uint32_t overruns;
/* Time base: whole microseconds up to `ticks_seen`, in steps that need no 64-bit division. */
static uint64_t us_total;
static uint32_t ticks_seen;

uint32_t ek_port_ticks(void) { return ~TIMER0_VALUE; } /* up from 0; timer 0 counts down */

uint64_t ek_port_time_us(void)
{
    uint32_t us = (ek_port_ticks() - ticks_seen) / TICKS_PER_US;

    ticks_seen += us * TICKS_PER_US; /* 171 s a turn; somebody comes by every two seconds */
    us_total += us;
    return us_total;
}

/* Sleeps until a byte arrives or the time has passed; with interrupts masked WFI wakes on a
 * pending one. */
static void wait_us(uint32_t us)
{
    uint32_t count = us * TICKS_PER_US;

    TIMER1_CTRL = 0;
    TIMER1_INTCLEAR = 1u;
    TIMER1_RELOAD = count;
    TIMER1_VALUE = count;
    NVIC_ICPR0 = 1u << UART0_RX_IRQ | 1u << TIMER1_IRQ;
    TIMER1_CTRL = TIMER_ENABLE | TIMER_INTERRUPT;
    if ((UART0_STATE & UART_RX_FULL) == 0) {
        __asm volatile("dsb\n wfi\n isb" ::: "memory");
    }
    TIMER1_CTRL = 0;
    TIMER1_INTCLEAR = 1u;
}

void ek_port_init(void)
{
    if (boot.magic != BOOT_MAGIC) {
        boot.magic = BOOT_MAGIC;
        boot.count = 0;
    }
    boot.count++;
    UART0_BAUDDIV = 16u; /* the smallest, which QEMU wants; its line has no speed */
    UART0_CTRL = UART_TX_ENABLE | UART_RX_ENABLE | UART_RX_INTERRUPT;
    NVIC_ISER0 = 1u << UART0_RX_IRQ | 1u << TIMER1_IRQ;
    boot_us = ek_port_ticks() / TICKS_PER_US;
}

void ek_port_start_time(void) { ticks_seen = ek_port_ticks(); }

uint32_t ek_port_boot_us(void) { return boot_us; }

int32_t ek_port_read(void)
{
    uint32_t state = UART0_STATE;

    if (state & UART_RX_OVERRUN) {
        UART0_STATE = UART_RX_OVERRUN;
        overruns++;
    }
    UART0_INTCLEAR = 2u; /* receive */
    return (state & UART_RX_FULL) ? (int32_t)(UART0_DATA & 0xFFu) : -1;
}

void ek_port_write(const uint8_t *data, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        while (UART0_STATE & UART_TX_FULL) {
        }
        UART0_DATA = data[i];
    }
}

void ek_port_flush(void)
{
    while (UART0_STATE & UART_TX_FULL) {
    }
}

int32_t ek_port_idle(void)
{
    uint64_t end = ek_port_time_us() + IDLE_US;

    while ((UART0_STATE & UART_RX_FULL) == 0) {
        uint64_t now = ek_port_time_us();
        if (now >= end) {
            return 1;
        }
        wait_us((uint32_t)(end - now));
    }
    return 0;
}

void ek_port_sleep_until(uint64_t t_us)
{
    uint64_t now = ek_port_time_us();

    while (now < t_us) {
        wait_us(t_us - now > IDLE_US ? IDLE_US : (uint32_t)(t_us - now));
        now = ek_port_time_us();
    }
}

uint32_t ek_port_cycles(void) { return ek_port_ticks() * EK_ORACLE_TICK_INSTRUCTIONS; }

void ek_port_mark(uint32_t on) { (void)on; }

uint32_t ek_port_overruns(void) { return overruns; }

uint32_t ek_port_kind(void) { return EK_KIND_VIRTUAL; }

uint32_t ek_port_device_id(void) { return 0x386u; }

uint32_t ek_port_clock_hz(void) { return 1000000000u; }

uint32_t ek_port_baud(void) { return 115200u; }

uint32_t ek_port_boot_count(void) { return boot.count; }

uint32_t ek_port_reset_reason(void) { return boot.count > 1u ? EK_RESET_SOFTWARE : EK_RESET_POWER; }

void ek_port_uid(uint8_t uid[16])
{
    static const char text[] = "qemu-mps2-an386";

    for (uint32_t i = 0; i < 16; i++) {
        uid[i] = (uint8_t)text[i];
    }
}

const char *ek_port_board(void) { return "mps2-an386"; }

void ek_port_reset(void)
{
    __asm volatile("dsb" ::: "memory");
    SCB_AIRCR = 0x05FA0004u; /* VECTKEY, SYSRESETREQ */
    for (;;) {
    }
}

uint8_t *ek_port_store(uint32_t *bytes)
{
    *bytes = (uint32_t)(ek_store_end - ek_store_start);
    return ek_store_start;
}
