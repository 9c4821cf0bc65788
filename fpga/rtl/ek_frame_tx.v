// Sends a frame, 00 | COBS(bytes | CRC-32) | 00, from a memory that it reads byte by byte.
//
// `start` for one clock with `length` (1 to 255) begins; `busy` until the last byte is with the
// transmitter. `read` asks for byte `index`; where `grant` is high in that clock, `read_data` holds
// it in the next. A first pass over the bytes takes the CRC (11 clocks a byte or more), a second
// one looks a block ahead for the next zero and sends. Cost: about 180 LUT4, the CRC included.
`default_nettype none

module ek_frame_tx (
    input  wire       clk,
    input  wire       rst,
    input  wire       start,
    input  wire [7:0] length,
    output wire       busy,
    output wire       read,
    input  wire       grant,
    output wire [7:0] index,
    input  wire [7:0] read_data,
    output wire       out_valid,
    input  wire       out_ready,
    output wire [7:0] out_data
);
    localparam [2:0] IDLE = 3'd0, SUM = 3'd1, OPEN = 3'd2, SCAN = 3'd3, CODE = 3'd4, SEND = 3'd5,
                     CLOSE = 3'd6;

    reg [2:0] state;
    reg       got;     // a byte read in the clock before is on `byte_`
    reg [8:0] ahead;   // next byte to look at
    reg [8:0] next;    // next byte to send
    reg [7:0] run;     // bytes of the block before its zero
    reg       last;    // nothing comes after the block

    wire [31:0] crc;
    wire crc_ready;
    wire [8:0] length9 = {1'b0, length};
    wire [8:0] at = (state == SEND) ? next : ahead;
    wire [8:0] past = at - length9;               // 0 to 3: a byte of the CRC
    wire in_crc = !past[8];
    wire unused = (&past);
    wire [7:0] crc_byte = past[1] ? (past[0] ? ~crc[31:24] : ~crc[23:16])
                                  : (past[0] ? ~crc[15:8] : ~crc[7:0]);
    wire [7:0] byte_ = in_crc ? crc_byte : read_data;
    wire wants = (state == SUM && crc_ready) || (state == SCAN) ||
                 (state == SEND && out_ready);
    wire summed = (state == SUM) && in_crc;       // all bytes before the CRC are in it
    wire scanned = in_crc && past[2];             // the CRC's four bytes too
    wire full = (run == 8'd254);
    wire taken = out_valid && out_ready;

    assign busy = (state != IDLE);
    assign read = wants && !got;
    assign index = at[7:0];
    assign out_valid = (state == OPEN) || (state == CODE) || (state == CLOSE) ||
                       (state == SEND && got && run != 8'd0);
    assign out_data = (state == CODE) ? run + 8'd1 : (state == SEND) ? byte_ : 8'd0;

    ek_crc32 u_crc (
        .clk(clk), .clear(state == IDLE), .valid(state == SUM && got && !in_crc),
        .ready(crc_ready), .data(read_data), .state(crc)
    );

    always @(posedge clk) begin
        got <= wants && !got && grant;
        case (state)
            IDLE: begin
                ahead <= 9'd0;
                next <= 9'd0;
                run <= 8'd0;
                if (start) state <= SUM;
            end
            SUM: begin
                if (summed) begin
                    if (crc_ready) begin
                        state <= OPEN;
                        ahead <= 9'd0;
                    end
                end else if (got) begin
                    ahead <= ahead + 9'd1;
                end
            end
            OPEN: if (taken) state <= SCAN;
            SCAN: begin
                last <= 1'b0;
                if (scanned || full) begin
                    last <= scanned;
                    state <= CODE;
                end else if (got) begin
                    ahead <= ahead + 9'd1;
                    if (byte_ == 8'd0) state <= CODE;
                    else run <= run + 8'd1;
                end
            end
            CODE: if (taken) state <= SEND;
            SEND: begin
                if (run == 8'd0) begin
                    next <= ahead;  // past the zero, if there is one
                    state <= last ? CLOSE : SCAN;
                end else if (taken) begin
                    next <= next + 9'd1;
                    run <= run - 8'd1;
                end
            end
            default: if (taken) state <= IDLE;
        endcase
        if (rst) begin
            state <= IDLE;
            got <= 1'b0;
        end
    end
endmodule
`default_nettype wire
