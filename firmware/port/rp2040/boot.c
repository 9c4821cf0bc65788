/* Second boot stage: the ROM copies these 256 bytes to SRAM, checks the CRC-32 in the last four
 * (polynomial 0x04C11DB7, start 0xFFFFFFFF, not reflected) and runs them. They set the flash
 * interface up for the read command that every SPI flash knows, 03h, at a quarter of the core's
 * clock, and start the image behind them. Words, not assembler, so that every compiler makes the
 * same bytes:
 *
 *       push {lr}
 *       ldr  r3, =0x18000000    SSI
 *       movs r1, #0
 *       str  r1, [r3, #0x08]    SSIENR: off while it is set up
 *       movs r1, #4
 *       str  r1, [r3, #0x14]    BAUDR
 *       ldr  r1, =0x001F0300
 *       str  r1, [r3, #0x00]    CTRLR0: frames of 32 bits, one line, a command then data
 *       movs r1, #0
 *       str  r1, [r3, #0x04]    CTRLR1: one frame a read
 *       ldr  r1, =0x03000218
 *       ldr  r0, =0x180000F4
 *       str  r1, [r0]           SPI_CTRLR0: command 03h in 8 bits, address in 24
 *       movs r1, #1
 *       str  r1, [r3, #0x08]    SSIENR: on
 *       pop  {r0}
 *       cmp  r0, #0             zero from the ROM: start the image
 *       beq  1f
 *       bx   r0
 *    1: ldr  r0, =0x10000100    vector table
 *       ldr  r1, =0xE000ED08    VTOR
 *       str  r0, [r1]
 *       ldmia r0, {r0, r1}
 *       msr  msp, r0
 *       bx   r1
 */
#include <stdint.h>

extern const uint32_t ek_boot[64];

__attribute__((section(".boot"), used)) const uint32_t ek_boot[64] = {
    0x4B0CB500u, 0x60992100u, 0x61592104u, 0x6019490Au, 0x60592100u, 0x480A4909u,       0x21016001u,
    0xBC016099u, 0xD0002800u, 0x48074700u, 0x60084907u, 0xF380C803u, 0x47088808u,       0x18000000u,
    0x001F0300u, 0x03000218u, 0x180000F4u, 0x10000100u, 0xE000ED08u, [63] = 0xE11EF9DFu};
