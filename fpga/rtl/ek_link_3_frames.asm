; Part of the link's program: ek_link_1_names.asm says what it is made of.

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
fresh:      jmp run_halt
fresh_go:   copy S_NONCE RX_PAYLOAD+HELLO_REQUEST_NONCE 4
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
