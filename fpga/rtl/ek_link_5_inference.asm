; Part of the link's program: ek_link_1_names.asm says what it is made of.

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

; Configures the run control: from PLACE to LIMIT, BATCH, PERIOD less 1 and N.
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
            out O_LEFT
            ld N+1
            out O_LEFT
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
