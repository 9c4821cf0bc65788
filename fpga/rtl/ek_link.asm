; The commands of the device link on an FPGA (docs/LINK.md, docs/fpga/link.md).
; edgekit/device/sequencer.py says what the instructions are; ek_link.v has memory and ports.

; ---- memory ------------------------------------------------------------------------------------
RX = 0x000              ; the received frame, decoded
RX_TYPE = RX+1
RX_COMMAND = RX+2
RX_SEQUENCE = RX+4
RX_SESSION = RX+6
RX_LENGTH = RX+8
RX_PAYLOAD = RX+10
L_INPUT = 0x200         ; LIMITS, never written: bytes of an input, u32
L_STORE = 0x204         ; bytes of all slots, u32
L_WEIGHTS = 0x208       ; bytes of the weights, u32; 0: none to load
L_WORDS = 0x20C         ; words of an input, u16
L_SPARE = 0x20E         ; first word of the slot for inputs that come in a request, u16
L_INFO = 0x210          ; bytes of INFO's answer, u8
L_OUTPUT = 0x211        ; bytes of an output, u16
BOOT = 0x214            ; starts, u32: kept over a reset
STATS = 0x218           ; a Stats message
RECORD = 0x240          ; a StatusReply message: the transfer
RUN = 0x26C             ; a RunRecord message
S_ACTIVE = 0x294        ; session
S_ID = 0x295
S_NONCE = 0x297
S_HELLO = 0x29B         ; sequence of the HELLO that opened it
S_LAST = 0x29D          ; latest sequence
SLOTS = 0x29F           ; stored inputs that may be used, u32
SLOTS_NEXT = 0x2A3      ; ... after COMMIT
LOADED = 0x2A7          ; the weights are
TIME = 0x2A8            ; microseconds, u64, less what the counter holds
NOW = 0x2B0
QUIET = 0x2B8           ; times of 65 ms without a frame
R_TYPE = 0x2B9          ; reply
R_LENGTH = 0x2BA
R_KEPT = 0x2BB          ; length of the kept frame
DETAIL = 0x2BC
FLAGS = 0x2BE
STATE = 0x2BF
COUNT = 0x2C0           ; temporary, u16
LEFT = 0x2C2            ; temporary, u32
PLACE = 0x2C6           ; word in the store, u16
SLOT = 0x2C8            ; u16
N_HIGH = 0x2CA          ; of what a RUN has left, u16
PENDING = 0x2CC         ; a RUN is to start when its reply is out
CONTROL = 0x2CD         ; what the run control was told last
N = 0x2CE               ; inferences asked for, u32
PERIOD = 0x2D2          ; as configured, u32
STEP_US = 0x2D6         ; microseconds of a slow period, u32
START = 0x2DA           ; time at the start of a RUN, u64
BATCH = 0x2E2
LIMIT = 0x2E4
TEMP = 0x2E6            ; u32
EVENT_COUNT = 0x2EA     ; u16
REPLY = 0x400
REPLY_FLAGS = REPLY+3
REPLY_PAYLOAD = REPLY+10
EVENT = 0x500
EVENT_PAYLOAD = EVENT+10
T_HELLO = 0x600
T_INFO = 0x680

; ---- ports -------------------------------------------------------------------------------------
I_FLAGS = 0
I_STATE = 1
I_LENGTH = 2
I_OUTPUT = 3
I_TIME = 4              ; 16-bit numbers: the low byte, and I_HIGH then the other
I_SUM = 5
I_MISSED = 6
I_LEFT = 7
I_LEAST = 8             ; three bytes each
I_MOST = 11
I_HIGH = 14
I_LOADED = 15
O_REPLY = 0             ; sends REPLY or EVENT; A is its length
O_EVENT = 1
O_ACK = 2
O_STORE = 3
O_PLACE = 4             ; 1: to the first slot, 2: to the spare one, 4: an even byte of the weights is next
O_CONFIG = 5
O_RUN = 6               ; 1 start, 2 stop, 4 more, 8 slow
O_OUTPUT = 7
O_LOAD = 8
O_SLEEP = 9             ; also forgets a tick
F_FRAME = 0x01
F_COBS = 0x02
F_CRC = 0x04
F_OVERRUN = 0x08
F_TIME = 0x10
F_SUM = 0x20
F_MISSED = 0x40
F_BORROW = 0x80
ST_TICKED = 0x01
ST_SENDING = 0x02
ST_RUNNING = 0x04
ST_GAP = 0x08
ST_WOKEN = 0x10
ST_TWIN = 0x20
ST_SLEEPS = 0x40
ST_LONG = 0x80
CHUNK = 248             ; MTU less WriteRequest
OUTPUT_PIECE = 232      ; so that a frame is at most 254 bytes
QUIET_TIMES = 32        ; 2.1 s

; ---- start -------------------------------------------------------------------------------------
start:      inc BOOT 4
            ld #0
            st S_ACTIVE
            st PENDING
            st CONTROL
            st QUIET
            st RECORD+STATUS_REPLY_STATE
            st RUN+RUN_RECORD_STATE
            zero SLOTS 4
            zero TIME 8
            ld #STATS_BYTES
            st COUNT
            setp STATS
clear:      ld #0
            st p+
            dec COUNT 1
            jnz clear
            call loaded

; ---- what there is to do -----------------------------------------------------------------------
main:       call service
            in I_STATE
            st STATE
            and #ST_TICKED
            jnz ticked
            ld STATE
            and #ST_SENDING
            jnz rest            ; the reply is going out: nothing may change it
            ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz receive
            ld PENDING
            jnz run_go
            ld STATE
            and #ST_RUNNING
            jz run_end
receive:    in I_FLAGS
            and #F_FRAME
            jnz frame
sleepy:     ld STATE
            and #ST_WOKEN
            jz drowsy
            ld #0
            out O_SLEEP
            st QUIET
            jmp rest
drowsy:     ld STATE
            and #ST_SLEEPS
            jz rest
            ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jz between
            ld QUIET
            sub #QUIET_TIMES
            jnc rest
            ld #1
            out O_SLEEP
            jmp rest
between:    ld CONTROL          ; sleep only in the gaps of a slow RUN
            and #8
            jz rest
            ld STATE
            and #ST_GAP
            jz rest
            ld #1
            out O_SLEEP
rest:       wait
            jmp main

ticked:     ld #0               ; a slow period has ended
            out O_SLEEP
            plus START STEP_US 4
            ld START+4
            adc #0
            st START+4
            ld START+5
            adc #0
            st START+5
            jmp main

; Counts what the flags say; every loop that waits calls it.
service:    in I_FLAGS
            and #0xFE
            jnz serve
            ret
serve:      st FLAGS
            out O_ACK
            and #F_COBS
            jz no_cobs
            inc STATS+STATS_COBS_ERRORS 4
no_cobs:    ld FLAGS
            and #F_CRC
            jz no_crc
            inc STATS+STATS_CRC_ERRORS 4
no_crc:     ld FLAGS
            and #F_OVERRUN
            jz no_overrun
            inc STATS+STATS_OVERRUNS 4
no_overrun: ld FLAGS
            and #F_TIME
            jz no_time
            inc TIME+2 6
            ld QUIET
            add #1
            jc no_time
            st QUIET
no_time:    ld FLAGS
            and #F_SUM
            jz no_sum
            inc RUN+RUN_RECORD_CYCLES_SUM+2 6
no_sum:     ld FLAGS
            and #F_MISSED
            jz no_missed
            inc RUN+RUN_RECORD_MISSED+2 2
no_missed:  ld FLAGS
            and #F_BORROW
            jz no_borrow
            dec N_HIGH 2
            ld N_HIGH
            jnz no_borrow
            ld N_HIGH+1
            jnz no_borrow
            ld CONTROL
            and #0xFB           ; no more
            st CONTROL
            out O_RUN
no_borrow:  ret

; NOW = microseconds since the start.
now_late:   inc TIME+2 6
            ld #F_TIME
            out O_ACK
now:        in I_TIME
            st NOW
            in I_HIGH
            st NOW+1
            in I_FLAGS
            and #F_TIME
            jnz now_late
            copy NOW+2 TIME+2 6
            ret

; ---- a frame -----------------------------------------------------------------------------------
frame:      in I_LENGTH         ; is the header's length what has come?
            sub #HEADER_BYTES
            st TEMP
            in I_STATE
            and #ST_LONG
            jz short
            ld #1
short:      sbc #0
            xor RX_LENGTH+1
            jnz malformed
            ld TEMP
            xor RX_LENGTH
            jnz malformed
            ld RX_TYPE
            xor #TYPE_REQ
            jnz malformed
            st QUIET
            inc STATS+STATS_RX_OK 4
            ld RX
            xor #MAGIC
            jnz no_version
            ld RX_COMMAND
            xor #CMD_HELLO
            jz hello
            ld S_ACTIVE
            jz no_session
            ld RX_SESSION
            xor S_ID
            jnz no_session
            ld RX_SESSION+1
            xor S_ID+1
            jnz no_session
            ld RX_SEQUENCE      ; how far ahead of the latest
            sub S_LAST
            st TEMP
            ld RX_SEQUENCE+1
            sbc S_LAST+1
            jnz ahead
            ld TEMP
            jz replay
            ld #0
ahead:      and #0x80
            jz execute
            inc STATS+STATS_STALE 4
            jmp done
malformed:  inc STATS+STATS_COBS_ERRORS 4
done:       ld #F_FRAME
            out O_ACK
            jmp main

replay:     inc STATS+STATS_REPLAYS 4
            setq REPLY_FLAGS
            ld #FLAG_REPLAY
            st q+
            jmp send

; An error outside the session, sent from the place of events: the kept reply stays.
no_version: ld #ERR_BAD_VERSION
            jmp refuse
no_session: inc STATS+STATS_BAD_SESSION 4
            ld #ERR_BAD_SESSION
refuse:     setq EVENT_PAYLOAD
            st q+
            ld #0
            st q+
            st q+
            st q+
            setq EVENT
            ld #MAGIC
            st q+
            ld #TYPE_ERR
            st q+
            ld RX_COMMAND
            st q+
            ld #0
            st q+
            setp RX_SEQUENCE
            ld p+
            st q+
            ld p+
            st q+
            ld p+
            st q+
            ld p+
            st q+
            ld #ERROR_REPLY_BYTES
            st q+
            ld #0
            st q+
            inc STATS+STATS_TX_FRAMES 4
            ld #HEADER_BYTES+ERROR_REPLY_BYTES
            out O_EVENT
            jmp done

; Sends R_LENGTH bytes at REPLY_PAYLOAD.
answer:     ld #TYPE_RSP
            st R_TYPE
put:        copy S_LAST RX_SEQUENCE 2
            setq REPLY
            ld #MAGIC
            st q+
            ld R_TYPE
            st q+
            ld RX_COMMAND
            st q+
            ld #0
            st q+
            ld S_LAST
            st q+
            ld S_LAST+1
            st q+
            ld S_ID
            st q+
            ld S_ID+1
            st q+
            ld R_LENGTH
            st q+
            add #HEADER_BYTES
            st R_KEPT
            ld #0
            st q+
send:       inc STATS+STATS_TX_FRAMES 4
            ld R_KEPT
            out O_REPLY
            jmp done

bad_arg:    ld #ERR_BAD_ARG
fail:       setq REPLY_PAYLOAD
            st q+
            ld #0
            st q+
            st q+
            st q+
            ld #ERROR_REPLY_BYTES
            st R_LENGTH
            ld #TYPE_ERR
            st R_TYPE
            jmp put

; COUNT bytes from P to Q.
move:       ld p+
            st q+
            dec COUNT 1
            jnz move
            ret

; ---- sessions ----------------------------------------------------------------------------------
hello:      ld RX_LENGTH+1
            jnz hello_long
            ld RX_LENGTH
            sub #HELLO_REQUEST_BYTES
            jnc no_version
hello_long: ld #PROTOCOL
            sub RX_PAYLOAD+HELLO_REQUEST_PROTO_MIN
            jnc no_version
            ld RX_PAYLOAD+HELLO_REQUEST_PROTO_MAX
            sub #PROTOCOL
            jnc no_version
            ld S_ACTIVE
            jz fresh
            ld RX_PAYLOAD+HELLO_REQUEST_NONCE
            xor S_NONCE
            jnz fresh
            ld RX_PAYLOAD+HELLO_REQUEST_NONCE+1
            xor S_NONCE+1
            jnz fresh
            ld RX_PAYLOAD+HELLO_REQUEST_NONCE+2
            xor S_NONCE+2
            jnz fresh
            ld RX_PAYLOAD+HELLO_REQUEST_NONCE+3
            xor S_NONCE+3
            jnz fresh
            ld S_LAST           ; the same attempt: unless the host has gone on, the same answer
            xor S_HELLO
            jnz stale_hello
            ld S_LAST+1
            xor S_HELLO+1
            jz welcome
stale_hello:
            inc STATS+STATS_STALE 4
            jmp done
fresh:      call run_halt
            copy S_NONCE RX_PAYLOAD+HELLO_REQUEST_NONCE 4
            ld S_NONCE          ; a number that differs from the last one and between starts
            xor S_NONCE+2
            xor S_ID
            st TEMP
            ld S_NONCE+1
            xor S_NONCE+3
            xor BOOT
            xor S_ID+1
            st TEMP+1
            jnz differs
            ld TEMP
            jnz differs
            ld #1               ; the same as before
            st TEMP
differs:    ld S_ID
            xor TEMP
            st S_ID
            ld S_ID+1
            xor TEMP+1
            st S_ID+1
            jnz welcome
            ld S_ID
            jnz welcome
            ld #0x55
            st S_ID+1
welcome:    ld #1
            st S_ACTIVE
            copy S_HELLO RX_SEQUENCE 2
            ld #HELLO_BYTES
            st COUNT
            st R_LENGTH
            setp T_HELLO
            setq REPLY_PAYLOAD
            call move
            setq REPLY_PAYLOAD+HELLO_KIND
            in I_STATE
            and #ST_TWIN
            jz silicon
            ld #KIND_VIRTUAL
silicon:    st q+
            setq REPLY_PAYLOAD+HELLO_SESSION
            ld S_ID
            st q+
            ld S_ID+1
            st q+
            setq REPLY_PAYLOAD+HELLO_NONCE
            setp RX_PAYLOAD+HELLO_REQUEST_NONCE
            ld #4
            st COUNT
            call move
            setq REPLY_PAYLOAD+HELLO_BOOT_COUNT
            setp BOOT
            ld #4
            st COUNT
            call move
            jmp answer

bye:        st S_ACTIVE         ; A is 0
            st R_LENGTH
            jmp answer

; ---- requests ----------------------------------------------------------------------------------
execute:    ld RX_COMMAND
            xor #CMD_BYE
            jz bye
            ld RX_COMMAND
            xor #CMD_INFO
            jz info
            ld RX_COMMAND
            xor #CMD_STATS
            jz stats
            ld RX_COMMAND
            xor #CMD_STATUS
            jz status
            ld RX_COMMAND
            xor #CMD_RUN_STATUS
            jz run_status
            ld RX_COMMAND
            xor #CMD_RUN_STOP
            jz run_stop
            ld RX_COMMAND
            xor #CMD_OPEN
            jz free
            ld RX_COMMAND
            xor #CMD_WRITE
            jz free
            ld RX_COMMAND
            xor #CMD_COMMIT
            jz free
            ld RX_COMMAND
            xor #CMD_INFER
            jz free
            ld RX_COMMAND
            xor #CMD_OUTPUT
            jz free
            ld RX_COMMAND
            xor #CMD_RUN
            jz free
            ld #ERR_UNKNOWN_CMD
            jmp fail
free:       ld RUN+RUN_RECORD_STATE     ; these want the network or the store
            xor #RUN_RUNNING
            jnz not_busy
            ld #ERR_BUSY
            jmp fail
not_busy:   ld RX_COMMAND
            xor #CMD_OPEN
            jz open
            ld RX_COMMAND
            xor #CMD_WRITE
            jz write
            ld RX_COMMAND
            xor #CMD_COMMIT
            jz commit
            ld RX_COMMAND
            xor #CMD_OUTPUT
            jz output
            ld LOADED
            jz not_ready
ready:      ld RX_COMMAND
            xor #CMD_RUN
            jz run
            jmp infer
not_ready:  ld #ERR_NOT_READY
            jmp fail

info:       ld L_INFO
            st COUNT
            st R_LENGTH
            setp T_INFO
            setq REPLY_PAYLOAD
            call move
            call now
            setp NOW
            setq REPLY_PAYLOAD+INFO_UPTIME_US
            ld #8
            st COUNT
            call move
            jmp answer

stats:      setp STATS
            ld #STATS_BYTES
copy_out:   st COUNT
            st R_LENGTH
            setq REPLY_PAYLOAD
            call move
            jmp answer

; ---- transfers ---------------------------------------------------------------------------------
status:     setp RECORD
            ld RECORD+STATUS_REPLY_STATE
            jnz status_out
            st RECORD+STATUS_REPLY_HANDLE
            st RECORD+STATUS_REPLY_HANDLE+1
status_out: ld #STATUS_REPLY_BYTES
            jmp copy_out

open:       ld RX_LENGTH
            xor #OPEN_REQUEST_BYTES
            jnz bad_arg
            copy LEFT RX_PAYLOAD+OPEN_REQUEST_LENGTH 4
            ld LEFT
            jnz open_some
            ld LEFT+1
            jnz open_some
            ld LEFT+2
            jz bad_arg
open_some:  ld RX_PAYLOAD+OPEN_REQUEST_KIND
            xor #TRANSFER_KIND_INPUTS
            jz open_inputs
            xor #TRANSFER_KIND_INPUTS
            xor #TRANSFER_KIND_WEIGHTS
            jnz bad_arg
            ld LEFT
            xor L_WEIGHTS
            jnz bad_arg
            ld LEFT+1
            xor L_WEIGHTS+1
            jnz bad_arg
            ld LEFT+2
            xor L_WEIGHTS+2
            jnz bad_arg
            ld LEFT+3
            xor L_WEIGHTS+3
            jnz bad_arg
            ld #4
            out O_PLACE
            call loaded
            copy RECORD+STATUS_REPLY_OFFSET TEMP 4
            jmp open_record
open_inputs:
            test L_STORE LEFT 4
            jc open_room
            ld #ERR_NO_MEM
            jmp fail
open_room:  zero SLOTS_NEXT 4
open_count: minus LEFT L_INPUT 4
            jnc bad_arg         ; no whole number of inputs
            inc SLOTS_NEXT 4
            ld LEFT
            jnz open_count
            ld LEFT+1
            jnz open_count
            ld LEFT+2
            jnz open_count
            zero SLOTS 4
open_same:  ld RECORD+STATUS_REPLY_STATE
            jz open_new
            ld RX_PAYLOAD+OPEN_REQUEST_RESTART
            jnz open_new
            ld RX_PAYLOAD+OPEN_REQUEST_KIND
            xor RECORD+STATUS_REPLY_KIND
            jnz open_new
            setp RX_PAYLOAD+OPEN_REQUEST_LENGTH
            setq RECORD+STATUS_REPLY_LENGTH
            ld #36              ; length and digest lie side by side in both
            st COUNT
open_equal: ld p+
            xor q+
            jnz open_new
            dec COUNT 1
            jnz open_equal
            jmp open_go_on
open_new:   zero RECORD+STATUS_REPLY_OFFSET 4
            ld #1
            out O_PLACE
open_record:
            copy RECORD+STATUS_REPLY_HANDLE RX_PAYLOAD+OPEN_REQUEST_SHA256 2
            ld RX_PAYLOAD+OPEN_REQUEST_KIND
            st RECORD+STATUS_REPLY_KIND
            setp RX_PAYLOAD+OPEN_REQUEST_LENGTH
            setq RECORD+STATUS_REPLY_LENGTH
            ld #36
            st COUNT
            call move
open_go_on: ld #TRANSFER_OPEN
            st RECORD+STATUS_REPLY_STATE
            setq REPLY_PAYLOAD
            ld RECORD+STATUS_REPLY_HANDLE
            st q+
            ld RECORD+STATUS_REPLY_HANDLE+1
            st q+
            ld #CHUNK
            st q+
            ld #0
            st q+
            ld #OPEN_REPLY_BYTES
tell_place: st R_LENGTH
            setp RECORD+STATUS_REPLY_OFFSET
            ld #4
            st COUNT
            call move
            jmp answer

; TEMP = bytes of weights that the network has, Z when they are not all.
loaded:     in I_LOADED
            st TEMP
            in I_HIGH
            st TEMP+1
            zero TEMP+2 2
            plus TEMP TEMP 4
            test TEMP L_WEIGHTS 4
            ld #0
            adc #0
            st LOADED
            ret

; Z unless the request's handle is the transfer's.
handle:     ld RX_PAYLOAD
            xor RECORD+STATUS_REPLY_HANDLE
            jnz handle_no
            ld RX_PAYLOAD+1
            xor RECORD+STATUS_REPLY_HANDLE+1
handle_no:  ret

write:      ld RX_LENGTH        ; LEFT = bytes of data, at most CHUNK
            sub #WRITE_REQUEST_BYTES
            st LEFT
            ld RX_LENGTH+1
            sbc #0
            jnz bad_arg
            st LEFT+1
            st LEFT+2
            st LEFT+3
            ld RECORD+STATUS_REPLY_STATE
            xor #TRANSFER_OPEN
            jnz bad_arg
            call handle
            jnz bad_arg
            setp RX_PAYLOAD+WRITE_REQUEST_OFFSET
            setq RECORD+STATUS_REPLY_OFFSET
            ld #4
            st COUNT
write_at:   ld p+
            xor q+
            jnz write_tell      ; elsewhere: the answer says where to go on
            dec COUNT 1
            jnz write_at
            ld LEFT
            jz write_tell
            copy TEMP RECORD+STATUS_REPLY_LENGTH 4
            minus TEMP RECORD+STATUS_REPLY_OFFSET 4
            test TEMP LEFT 4
            jc write_fits
            ld #ERR_OUT_OF_RANGE
            jmp fail
write_fits: plus RECORD+STATUS_REPLY_OFFSET LEFT 4
            ld RECORD+STATUS_REPLY_KIND
            xor #TRANSFER_KIND_INPUTS
            jz write_store
write_load: ld p+
            out O_LOAD
            dec LEFT 1
            jnz write_load
            jmp write_tell
write_store:
            ld p+
            out O_STORE
            dec LEFT 1
            jnz write_store
write_tell: setq REPLY_PAYLOAD
            ld #WRITE_REPLY_BYTES
            jmp tell_place

commit:     ld RX_LENGTH
            xor #COMMIT_REQUEST_BYTES
            jnz bad_arg
            ld RECORD+STATUS_REPLY_STATE
            jz bad_arg
            call handle
            jnz bad_arg
            test RECORD+STATUS_REPLY_OFFSET RECORD+STATUS_REPLY_LENGTH 4
            jnc bad_arg         ; bytes are missing
            ld #TRANSFER_COMMITTED
            st RECORD+STATUS_REPLY_STATE
            setp RECORD+STATUS_REPLY_LENGTH
            setq REPLY_PAYLOAD
            ld #4
            st COUNT
            call move
            ld RECORD+STATUS_REPLY_KIND
            xor #TRANSFER_KIND_INPUTS
            jz commit_inputs
            call loaded
            zero TEMP 4
            jmp commit_tell
commit_inputs:
            copy SLOTS SLOTS_NEXT 4
            copy TEMP SLOTS 4
commit_tell:
            setp TEMP
            ld #4
            st COUNT
            call move
            ld #COMMIT_REPLY_BYTES
            st R_LENGTH
            jmp answer

; ---- inference ---------------------------------------------------------------------------------
; PLACE = word of SLOT.
locate:     zero PLACE 2
located:    ld SLOT
            jnz locate_on
            ld SLOT+1
            jnz locate_on
            ret
locate_on:  plus PLACE L_WORDS 2
            dec SLOT 2
            jmp located

; Configures the run control: from PLACE to LIMIT, BATCH, PERIOD and N.
configure:  setp PLACE
            ld p+
            out O_CONFIG
            ld p+
            out O_CONFIG
            setp LIMIT
            ld p+
            out O_CONFIG
            ld p+
            out O_CONFIG
            ld BATCH
            out O_CONFIG
            ld BATCH+1
            out O_CONFIG
            setp PERIOD
            ld p+
            out O_CONFIG
            ld p+
            out O_CONFIG
            ld p+
            out O_CONFIG
            ld N
            out O_CONFIG
            ld N+1
            out O_CONFIG
            copy N_HIGH N+2 2
            ret

infer:      ld RX_LENGTH+1
            jnz infer_long
            ld RX_LENGTH
            sub #INFER_REQUEST_BYTES
            jnc bad_arg
infer_long: ld RX_PAYLOAD
            and RX_PAYLOAD+1
            and RX_PAYLOAD+2
            and RX_PAYLOAD+3
            xor #0xFF
            jz inline
            test RX_PAYLOAD SLOTS 4
            jc no_slot
            copy SLOT RX_PAYLOAD 2
            call locate
            jmp infer_go
no_slot:    ld #ERR_OUT_OF_RANGE
            jmp fail
inline:     ld RX_LENGTH        ; exactly one input?
            sub #INFER_REQUEST_BYTES
            st LEFT
            xor L_INPUT
            st TEMP
            ld RX_LENGTH+1
            sbc #0
            xor L_INPUT+1
            jnz bad_arg
            ld TEMP
            jnz bad_arg
            ld #2
            out O_PLACE
            setp RX_PAYLOAD+INFER_REQUEST_BYTES
inline_on:  ld p+
            out O_STORE
            dec LEFT 1
            jnz inline_on
            ld RECORD+STATUS_REPLY_STATE
            xor #TRANSFER_OPEN
            jnz inline_in
            ld RECORD+STATUS_REPLY_KIND
            xor #TRANSFER_KIND_INPUTS
            jnz inline_in
            st RECORD+STATUS_REPLY_STATE    ; the place of an unfinished transfer is lost
inline_in:  copy PLACE L_SPARE 2
infer_go:   copy LIMIT PLACE 2
            plus LIMIT L_WORDS 2
            dec LIMIT 2
            zero BATCH 2
            zero PERIOD 3
            zero N 4
            ld #1
            st N
            call configure
            ld #1
            out O_RUN
infer_wait: call service
            in I_STATE
            and #ST_RUNNING
            jnz infer_wait
            inc STATS+STATS_INFERENCES 4
            setq REPLY_PAYLOAD
            in I_MOST
            st q+
            in I_MOST+1
            st q+
            in I_MOST+2
            st q+
            ld #0
            st q+
            st q+               ; status
            st q+
            st q+
            st q+
            ld L_OUTPUT
            st q+
            ld L_OUTPUT+1
            st q+
            ld #0
            st q+
            st q+
            out O_OUTPUT
            copy LEFT L_OUTPUT 2
            ld #INFER_REPLY_BYTES
            st R_LENGTH

; Adds LEFT bytes of the output to the reply, as many as fit.
pieces:     ld LEFT+1
            jnz piece
            ld #OUTPUT_PIECE
            sub LEFT
            jc piece_all
piece:      ld #OUTPUT_PIECE
            st LEFT
piece_all:  ld LEFT
            jz answer
            add R_LENGTH
            st R_LENGTH
piece_on:   in I_OUTPUT
            st q+
            dec LEFT 1
            jnz piece_on
            jmp answer

output:     ld RX_LENGTH
            xor #OUTPUT_REQUEST_BYTES
            jnz bad_arg
            st R_LENGTH
            copy LEFT L_OUTPUT 2
            zero LEFT+2 2
            test LEFT RX_PAYLOAD 4
            jnc answer          ; past the end: no bytes
            minus LEFT RX_PAYLOAD 4
            out O_OUTPUT
            setq REPLY_PAYLOAD
output_on:  ld RX_PAYLOAD       ; skip to the offset
            jnz skip
            ld RX_PAYLOAD+1
            jz pieces
skip:       in I_OUTPUT
            dec RX_PAYLOAD 2
            jmp output_on

; ---- RUN ---------------------------------------------------------------------------------------
run:        ld RX_LENGTH
            xor #RUN_REQUEST_BYTES
            jnz bad_arg
            ld SLOTS
            jnz run_slots
            ld SLOTS+1
            jnz run_slots
            ld #ERR_NO_MEM
            jmp fail
run_slots:  test RX_PAYLOAD+RUN_REQUEST_FIRST SLOTS 4
            jc no_slot
            copy TEMP SLOTS 4
            minus TEMP RX_PAYLOAD+RUN_REQUEST_FIRST 4
            test TEMP RX_PAYLOAD+RUN_REQUEST_COUNT 4
            jnc no_slot
            ld RX_PAYLOAD+RUN_REQUEST_COUNT
            jnz run_count
            ld RX_PAYLOAD+RUN_REQUEST_COUNT+1
            jz no_slot
run_count:  copy N RX_PAYLOAD+RUN_REQUEST_N 4
            ld N
            jnz run_n
            ld N+1
            jnz run_n
            ld N+2
            jnz run_n
            ld N+3
            jz bad_arg
run_n:      copy TEMP RX_PAYLOAD+RUN_REQUEST_BATCH 4
            dec TEMP 4          ; 0 becomes too much
            ld TEMP+3
            jnz bad_arg
            ld TEMP+2
            jnz bad_arg
            copy BATCH TEMP 2
            copy PERIOD RX_PAYLOAD+RUN_REQUEST_PERIOD_US 4
            ld #0
            st CONTROL
            in I_STATE
            and #ST_SLEEPS
            jz run_fast
            ld PERIOD+3
            jnz run_slow
            ld PERIOD+2
            jnz run_slow
            ld PERIOD+1
            sub #8              ; 2 ms
            jnc run_fast
run_slow:   ld #8
            st CONTROL
            copy STEP_US PERIOD 4
            ld #0               ; PERIOD /= 100, bit by bit; COUNT+1 is the rest
            st COUNT+1
            ld #32
            st COUNT
divide:     plus PERIOD PERIOD 4
            ld COUNT+1
            adc COUNT+1
            st COUNT+1
            sub #100
            jnc divided
            st COUNT+1
            inc PERIOD 1        ; its lowest bit is 0
divided:    dec COUNT 1
            jnz divide
            ld STEP_US          ; what the ticks make
            sub COUNT+1
            st STEP_US
            ld STEP_US+1
            sbc #0
            st STEP_US+1
            ld STEP_US+2
            sbc #0
            st STEP_US+2
            ld STEP_US+3
            sbc #0
            st STEP_US+3
run_fast:   ld PERIOD+3
            jnz bad_arg
            copy SLOT RX_PAYLOAD+RUN_REQUEST_FIRST 2
            plus RX_PAYLOAD+RUN_REQUEST_COUNT SLOT 2
            copy SLOT RX_PAYLOAD+RUN_REQUEST_COUNT 2
            call locate
            copy LIMIT PLACE 2
            dec LIMIT 2
            copy SLOT RX_PAYLOAD+RUN_REQUEST_FIRST 2
            call locate
            call configure
            ld N+2
            jnz run_more
            ld N+3
            jz run_ready
run_more:   ld CONTROL
            add #4
            st CONTROL
run_ready:  ld #RUN_RECORD_BYTES
            st COUNT
            setp RUN
run_clear:  ld #0
            st p+
            dec COUNT 1
            jnz run_clear
            st R_LENGTH
            ld #1
            st PENDING
            st RUN+RUN_RECORD_STATE     ; RUNNING
            jmp answer

run_go:     ld #0               ; the reply is out
            st PENDING
            zero START 8
            ld CONTROL
            and #8
            jnz run_went
            call now
            copy START NOW 8
run_went:   ld CONTROL
            add #1
            out O_RUN
            jmp main

run_end:    ld #0               ; quiet counts from here: the event wants to go out
            st QUIET
            ld #RUN_DONE
            call record
            setq EVENT_PAYLOAD
            setp RUN
            ld #RUN_RECORD_BYTES
            st COUNT
            call move
            ld S_ACTIVE
            jz main
            inc EVENT_COUNT 2
            setq EVENT
            ld #MAGIC
            st q+
            ld #TYPE_EVT
            st q+
            ld #CMD_RUN
            st q+
            ld #0
            st q+
            ld EVENT_COUNT
            st q+
            ld EVENT_COUNT+1
            st q+
            ld S_ID
            st q+
            ld S_ID+1
            st q+
            ld #RUN_RECORD_BYTES
            st q+
            ld #0
            st q+
            inc STATS+STATS_TX_FRAMES 4
            ld #HEADER_BYTES+RUN_RECORD_BYTES
            out O_EVENT
            jmp main

; Fills RUN with the state in A, everything of a run that has ended.
record:     st RUN+RUN_RECORD_STATE
            call count_run
            plus STATS+STATS_INFERENCES RUN+RUN_RECORD_N 4
            setq RUN+RUN_RECORD_CYCLES_MIN
            in I_LEAST
            st q+
            in I_LEAST+1
            st q+
            in I_LEAST+2
            st q+
            ld #0
            st q+
            in I_MOST
            st q+
            in I_MOST+1
            st q+
            in I_MOST+2
            st q+
            ld #0
            st q+
            in I_SUM
            st q+
            in I_HIGH
            st q+
            in I_MISSED
            st RUN+RUN_RECORD_MISSED
            in I_HIGH
            st RUN+RUN_RECORD_MISSED+1
            ret

; n and t_us of RUN as of now.
count_run:  ld PENDING
            jnz run_counted     ; not one has begun
run_reread: in I_FLAGS
            and #F_BORROW
            st TEMP
            in I_LEFT
            st LEFT
            in I_HIGH
            st LEFT+1
            in I_FLAGS
            and #F_BORROW
            xor TEMP
            jnz run_reread      ; it happened just now
            copy LEFT+2 N_HIGH 2
            ld TEMP
            jz run_steady
            dec LEFT+2 2
run_steady: copy RUN+RUN_RECORD_N N 4
            minus RUN+RUN_RECORD_N LEFT 4
            copy RUN+RUN_RECORD_T_US START 8
            ld CONTROL
            and #8
            jnz run_counted
            call now
            copy RUN+RUN_RECORD_T_US NOW 8
            minus RUN+RUN_RECORD_T_US START 8
run_counted:
            ret

; Ends a RUN, if there is one, when its group has ended.
run_halt:   ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz run_halted
            ld PENDING
            jnz run_never
            ld CONTROL
            and #0xFE
            add #2
            out O_RUN
run_halting:
            call service
            in I_STATE
            and #ST_RUNNING
            jnz run_halting
            ld #RUN_STOPPED
            jmp record
run_halted: ret
run_never:  ld #0
            st PENDING
            ld #RUN_STOPPED
            st RUN+RUN_RECORD_STATE
            ret

run_stop:   call run_halt
            jmp run_tell
run_status: ld RUN+RUN_RECORD_STATE
            xor #RUN_RUNNING
            jnz run_tell
            call count_run
run_tell:   setp RUN
            ld #RUN_RECORD_BYTES
            jmp copy_out
