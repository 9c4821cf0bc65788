/* SHA-256 (FIPS 180-4) of data in RAM. */
#ifndef EK_SHA256_H
#define EK_SHA256_H

#include <stdint.h>

void ek_sha256(const uint8_t *data, uint32_t n, uint8_t digest[32]);

#endif
