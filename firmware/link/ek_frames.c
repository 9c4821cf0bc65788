#include "ek_frames.h"

uint16_t ek_get16(const uint8_t *p) { return (uint16_t)(p[0] | ((uint32_t)p[1] << 8)); }

uint32_t ek_get32(const uint8_t *p)
{
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

void ek_put16(uint8_t *p, uint32_t value)
{
    p[0] = (uint8_t)(value & 0xFFu);
    p[1] = (uint8_t)((value >> 8) & 0xFFu);
}

void ek_put32(uint8_t *p, uint32_t value)
{
    ek_put16(p, value);
    ek_put16(p + 2, value >> 16);
}

void ek_put64(uint8_t *p, uint64_t value)
{
    ek_put32(p, (uint32_t)(value & 0xFFFFFFFFu));
    ek_put32(p + 4, (uint32_t)(value >> 32));
}

void ek_copy(uint8_t *to, const uint8_t *from, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        to[i] = from[i];
    }
}

uint32_t ek_equal(const uint8_t *a, const uint8_t *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (a[i] != b[i]) {
            return 0;
        }
    }
    return 1;
}

/* Four bits a step: 64 bytes of table instead of 1 KiB. */
uint32_t ek_crc32(uint32_t crc, const uint8_t *data, uint32_t n)
{
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
        0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
        0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };

    crc = ~crc;
    for (uint32_t i = 0; i < n; i++) {
        crc ^= data[i];
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

uint32_t ek_cobs_decode(uint8_t *data, uint32_t n)
{
    uint32_t in = 0;
    uint32_t out = 0;

    while (in < n) {
        uint32_t code = data[in++];
        if (code == 0 || in + code - 1 > n) {
            return EK_COBS_BAD;
        }
        for (uint32_t i = 1; i < code; i++) {
            if (data[in] == 0) {
                return EK_COBS_BAD;
            }
            data[out++] = data[in++];
        }
        if (code != 255 && in < n) {
            data[out++] = 0;
        }
    }
    return out;
}

uint32_t ek_cobs_block(const uint8_t *in, uint32_t n, uint32_t *used, uint32_t *more,
                       uint8_t block[EK_COBS_BLOCK_BYTES])
{
    uint32_t size = 1;

    while (*used < n && size < EK_COBS_BLOCK_BYTES && in[*used] != 0) {
        block[size++] = in[(*used)++];
    }
    block[0] = (uint8_t)size;
    if (size == EK_COBS_BLOCK_BYTES) {
        *more = *used < n; /* a full block stands for no zero, so the end needs none after it */
    } else if (*used < n) {
        (*used)++; /* the zero this block stands for */
        *more = 1; /* even at the end: the zero itself is data */
    } else {
        *more = 0;
    }
    return size;
}
