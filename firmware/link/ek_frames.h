/* Bytes of the device link: little-endian words, CRC-32 and COBS. */
#ifndef EK_FRAMES_H
#define EK_FRAMES_H

#include <stdint.h>

#define EK_COBS_BAD 0xFFFFFFFFu
#define EK_COBS_BLOCK_BYTES 255u

uint16_t ek_get16(const uint8_t *p);
uint32_t ek_get32(const uint8_t *p);
void ek_put16(uint8_t *p, uint32_t value);
void ek_put32(uint8_t *p, uint32_t value);
void ek_put64(uint8_t *p, uint64_t value);
void ek_copy(uint8_t *to, const uint8_t *from, uint32_t n);
uint32_t ek_equal(const uint8_t *a, const uint8_t *b, uint32_t n);

/* CRC-32/ISO-HDLC: start with 0 and feed the previous result to continue. */
uint32_t ek_crc32(uint32_t crc, const uint8_t *data, uint32_t n);

/* Decodes n bytes in place; returns the decoded size, or EK_COBS_BAD. */
uint32_t ek_cobs_decode(uint8_t *data, uint32_t n);

/* Encodes one block: takes bytes of in[0..n) from *used on, advances it, returns the block's size.
 * *more is 1 while another block must follow; start with *used = 0. */
uint32_t ek_cobs_block(const uint8_t *in, uint32_t n, uint32_t *used, uint32_t *more,
                       uint8_t block[EK_COBS_BLOCK_BYTES]);

#endif
