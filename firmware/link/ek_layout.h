/* Codes and byte offsets of the device link, see docs/LINK.md.
 * Written by edgekit/device/c_header.py from edgekit/device/layout.py: edit that. */
#ifndef EK_LAYOUT_H
#define EK_LAYOUT_H

#define EK_MAGIC 0xe1u
#define EK_PROTOCOL 0x1u
#define EK_MTU_MIN_BYTES 0x100u
#define EK_MTU_MAX_BYTES 0x1000u
#define EK_INLINE_SLOT 0xffffffffu
#define EK_ERROR_TEXT_BYTES 0x40u
#define EK_BATCH_MAX 0x1000u
#define EK_CYCLE_LOG_ENTRIES 0x400u

#define EK_TYPE_REQ 0x1u
#define EK_TYPE_RSP 0x2u
#define EK_TYPE_EVT 0x3u
#define EK_TYPE_ERR 0x4u

#define EK_CMD_HELLO 0x1u
#define EK_CMD_BYE 0x2u
#define EK_CMD_INFO 0x3u
#define EK_CMD_STATS 0x4u
#define EK_CMD_RESET 0x5u
#define EK_CMD_OPEN 0x10u
#define EK_CMD_WRITE 0x11u
#define EK_CMD_COMMIT 0x12u
#define EK_CMD_STATUS 0x13u
#define EK_CMD_INFER 0x20u
#define EK_CMD_OUTPUT 0x21u
#define EK_CMD_RUN 0x22u
#define EK_CMD_RUN_STATUS 0x23u
#define EK_CMD_RUN_STOP 0x24u
#define EK_CMD_READ 0x25u
#define EK_CMD_TRACE 0x30u

#define EK_FLAG_MORE 0x1u
#define EK_FLAG_ACKREQ 0x2u
#define EK_FLAG_REPLAY 0x4u

#define EK_CAP_STORE 0x1u
#define EK_CAP_RUN 0x2u
#define EK_CAP_TRACE 0x4u
#define EK_CAP_TEXT 0x8u
#define EK_CAP_CYCLES 0x10u
#define EK_CAP_SHA256 0x20u
#define EK_CAP_WEIGHTS 0x40u

#define EK_KIND_HARDWARE 0x0u
#define EK_KIND_VIRTUAL 0x1u

#define EK_RESET_UNKNOWN 0x0u
#define EK_RESET_POWER 0x1u
#define EK_RESET_PIN 0x2u
#define EK_RESET_SOFTWARE 0x3u
#define EK_RESET_WATCHDOG 0x4u
#define EK_RESET_LOW_POWER 0x5u
#define EK_RESET_OTHER 0x6u

#define EK_ERR_BAD_FRAME 0x1u
#define EK_ERR_BAD_CRC 0x2u
#define EK_ERR_BAD_VERSION 0x3u
#define EK_ERR_BAD_SESSION 0x4u
#define EK_ERR_UNKNOWN_CMD 0x5u
#define EK_ERR_BAD_ARG 0x6u
#define EK_ERR_BUSY 0x7u
#define EK_ERR_NO_MEM 0x8u
#define EK_ERR_OUT_OF_RANGE 0x9u
#define EK_ERR_HASH_MISMATCH 0xau
#define EK_ERR_FLASH_ERASE 0xbu
#define EK_ERR_FLASH_WRITE 0xcu
#define EK_ERR_FLASH_VERIFY 0xdu
#define EK_ERR_NOT_READY 0xeu
#define EK_ERR_TIMEOUT 0xfu
#define EK_ERR_OVERRUN 0x10u
#define EK_ERR_MODEL_INCOMPATIBLE 0x11u
#define EK_ERR_SENSOR_FAULT 0x12u
#define EK_ERR_CAL_MISSING 0x13u
#define EK_ERR_POWER_OVERLIMIT 0x14u

#define EK_TRANSFER_KIND_INPUTS 0x1u
#define EK_TRANSFER_KIND_WEIGHTS 0x2u

#define EK_TRANSFER_NONE 0x0u
#define EK_TRANSFER_OPEN 0x1u
#define EK_TRANSFER_COMMITTED 0x2u

#define EK_RUN_NONE 0x0u
#define EK_RUN_RUNNING 0x1u
#define EK_RUN_DONE 0x2u
#define EK_RUN_STOPPED 0x3u

#define EK_HEADER_MAGIC 0u /* 1 bytes */
#define EK_HEADER_TYPE 1u /* 1 bytes */
#define EK_HEADER_COMMAND 2u /* 1 bytes */
#define EK_HEADER_FLAGS 3u /* 1 bytes */
#define EK_HEADER_SEQUENCE 4u /* 2 bytes */
#define EK_HEADER_SESSION 6u /* 2 bytes */
#define EK_HEADER_LENGTH 8u /* 2 bytes */
#define EK_HEADER_BYTES 10u

#define EK_HELLO_REQUEST_PROTO_MIN 0u /* 1 bytes */
#define EK_HELLO_REQUEST_PROTO_MAX 1u /* 1 bytes */
#define EK_HELLO_REQUEST_MTU 2u /* 2 bytes */
#define EK_HELLO_REQUEST_NONCE 4u /* 4 bytes */
#define EK_HELLO_REQUEST_BYTES 8u

#define EK_HELLO_PROTO 0u /* 1 bytes */
#define EK_HELLO_KIND 1u /* 1 bytes */
#define EK_HELLO_MTU 2u /* 2 bytes */
#define EK_HELLO_SESSION 4u /* 2 bytes */
#define EK_HELLO_RX_WINDOW 6u /* 2 bytes */
#define EK_HELLO_RESET_REASON 8u /* 2 bytes */
#define EK_HELLO_NODES 10u /* 2 bytes */
#define EK_HELLO_NONCE 12u /* 4 bytes */
#define EK_HELLO_CAPS 16u /* 4 bytes */
#define EK_HELLO_BOOT_COUNT 20u /* 4 bytes */
#define EK_HELLO_CLOCK_HZ 24u /* 4 bytes */
#define EK_HELLO_BAUD 28u /* 4 bytes */
#define EK_HELLO_INPUT_BYTES 32u /* 4 bytes */
#define EK_HELLO_OUTPUT_BYTES 36u /* 4 bytes */
#define EK_HELLO_STORE_BYTES 40u /* 4 bytes */
#define EK_HELLO_COLD_START_US 44u /* 4 bytes */
#define EK_HELLO_COLD_CYCLES 48u /* 4 bytes */
#define EK_HELLO_UID 52u /* 16 bytes */
#define EK_HELLO_BUILD_ID 68u /* 16 bytes */
#define EK_HELLO_MODEL_HASH 84u /* 16 bytes */
#define EK_HELLO_BOARD 100u /* 24 bytes */
#define EK_HELLO_BYTES 124u

#define EK_INFO_NODES 0u /* 4 bytes */
#define EK_INFO_ARENA_BYTES 4u /* 4 bytes */
#define EK_INFO_OUTPUT_ZERO_POINT 8u /* 4 bytes */
#define EK_INFO_OUTPUT_SCALE_NANO 12u /* 4 bytes */
#define EK_INFO_STORE_BYTES 16u /* 4 bytes */
#define EK_INFO_DEVICE_ID 20u /* 4 bytes */
#define EK_INFO_UPTIME_US 24u /* 8 bytes */
#define EK_INFO_BYTES 32u

#define EK_STATS_RX_OK 0u /* 4 bytes */
#define EK_STATS_CRC_ERRORS 4u /* 4 bytes */
#define EK_STATS_COBS_ERRORS 8u /* 4 bytes */
#define EK_STATS_OVERRUNS 12u /* 4 bytes */
#define EK_STATS_REPLAYS 16u /* 4 bytes */
#define EK_STATS_STALE 20u /* 4 bytes */
#define EK_STATS_BAD_SESSION 24u /* 4 bytes */
#define EK_STATS_TX_FRAMES 28u /* 4 bytes */
#define EK_STATS_TEXT_COMMANDS 32u /* 4 bytes */
#define EK_STATS_INFERENCES 36u /* 4 bytes */
#define EK_STATS_BYTES 40u

#define EK_OPEN_REQUEST_KIND 0u /* 1 bytes */
#define EK_OPEN_REQUEST_RESTART 1u /* 1 bytes */
#define EK_OPEN_REQUEST_CHUNK 2u /* 2 bytes */
#define EK_OPEN_REQUEST_LENGTH 4u /* 4 bytes */
#define EK_OPEN_REQUEST_SHA256 8u /* 32 bytes */
#define EK_OPEN_REQUEST_BYTES 40u

#define EK_OPEN_REPLY_HANDLE 0u /* 2 bytes */
#define EK_OPEN_REPLY_CHUNK 2u /* 2 bytes */
#define EK_OPEN_REPLY_OFFSET 4u /* 4 bytes */
#define EK_OPEN_REPLY_BYTES 8u

#define EK_WRITE_REQUEST_HANDLE 0u /* 2 bytes */
#define EK_WRITE_REQUEST_RESERVED 2u /* 2 bytes */
#define EK_WRITE_REQUEST_OFFSET 4u /* 4 bytes */
#define EK_WRITE_REQUEST_BYTES 8u

#define EK_WRITE_REPLY_OFFSET 0u /* 4 bytes */
#define EK_WRITE_REPLY_BYTES 4u

#define EK_COMMIT_REQUEST_HANDLE 0u /* 2 bytes */
#define EK_COMMIT_REQUEST_RESERVED 2u /* 2 bytes */
#define EK_COMMIT_REQUEST_BYTES 4u

#define EK_COMMIT_REPLY_LENGTH 0u /* 4 bytes */
#define EK_COMMIT_REPLY_SLOTS 4u /* 4 bytes */
#define EK_COMMIT_REPLY_BYTES 8u

#define EK_STATUS_REPLY_HANDLE 0u /* 2 bytes */
#define EK_STATUS_REPLY_STATE 2u /* 1 bytes */
#define EK_STATUS_REPLY_KIND 3u /* 1 bytes */
#define EK_STATUS_REPLY_OFFSET 4u /* 4 bytes */
#define EK_STATUS_REPLY_LENGTH 8u /* 4 bytes */
#define EK_STATUS_REPLY_SHA256 12u /* 32 bytes */
#define EK_STATUS_REPLY_BYTES 44u

#define EK_INFER_REQUEST_SLOT 0u /* 4 bytes */
#define EK_INFER_REQUEST_BYTES 4u

#define EK_INFER_REPLY_CYCLES 0u /* 4 bytes */
#define EK_INFER_REPLY_STATUS 4u /* 4 bytes */
#define EK_INFER_REPLY_OUTPUT_BYTES 8u /* 4 bytes */
#define EK_INFER_REPLY_BYTES 12u

#define EK_OUTPUT_REQUEST_OFFSET 0u /* 4 bytes */
#define EK_OUTPUT_REQUEST_BYTES 4u

#define EK_RUN_REQUEST_FIRST 0u /* 4 bytes */
#define EK_RUN_REQUEST_COUNT 4u /* 4 bytes */
#define EK_RUN_REQUEST_N 8u /* 4 bytes */
#define EK_RUN_REQUEST_PERIOD_US 12u /* 4 bytes */
#define EK_RUN_REQUEST_BATCH 16u /* 4 bytes */
#define EK_RUN_REQUEST_BYTES 20u

#define EK_RUN_RECORD_STATE 0u /* 4 bytes */
#define EK_RUN_RECORD_N 4u /* 4 bytes */
#define EK_RUN_RECORD_CYCLES_MIN 8u /* 4 bytes */
#define EK_RUN_RECORD_CYCLES_MAX 12u /* 4 bytes */
#define EK_RUN_RECORD_CYCLES_SUM 16u /* 8 bytes */
#define EK_RUN_RECORD_MISSED 24u /* 4 bytes */
#define EK_RUN_RECORD_RESERVED 28u /* 4 bytes */
#define EK_RUN_RECORD_T_US 32u /* 8 bytes */
#define EK_RUN_RECORD_BYTES 40u

#define EK_READ_REQUEST_FIRST 0u /* 4 bytes */
#define EK_READ_REQUEST_BYTES 4u

#define EK_READ_REPLY_TOTAL 0u /* 4 bytes */
#define EK_READ_REPLY_FIRST 4u /* 4 bytes */
#define EK_READ_REPLY_BYTES 8u

#define EK_TRACE_REQUEST_SLOT 0u /* 4 bytes */
#define EK_TRACE_REQUEST_NODE 4u /* 4 bytes */
#define EK_TRACE_REQUEST_OFFSET 8u /* 4 bytes */
#define EK_TRACE_REQUEST_BYTES 12u

#define EK_TRACE_REPLY_SIZE 0u /* 4 bytes */
#define EK_TRACE_REPLY_OFFSET 4u /* 4 bytes */
#define EK_TRACE_REPLY_BYTES 8u

#define EK_ERROR_REPLY_CODE 0u /* 2 bytes */
#define EK_ERROR_REPLY_DETAIL 2u /* 2 bytes */
#define EK_ERROR_REPLY_BYTES 4u

#endif
