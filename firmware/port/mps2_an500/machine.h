/* MPS2 AN500 (Cortex-M7) as QEMU models it. Included by cmsdk.h. */
#ifndef EK_MACHINE_H
#define EK_MACHINE_H

#define EK_MACHINE "mps2-an500"
#define EK_MACHINE_BOARD "mps2-an500"
#define EK_MACHINE_ID 0x500u

#include "mps2.h"

#endif
