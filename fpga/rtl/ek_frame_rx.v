// Finds frames, 00 | COBS(bytes | CRC-32) | 00, in a stream of bytes (docs/LINK.md).
//
// Decoded bytes, the CRC's four among them, come out as they arrive, `out_index` counting them
// from 0; only the end says whether they are worth anything: one clock of `good`, `bad_cobs`
// (broken, truncated, shorter than a header, or longer than BYTES), `bad_crc`, or `overrun`
// (`room` was low when the frame began). At `good`, `length` is the bytes before the CRC. Every 00
// ends a frame and starts the next, so damage never lasts longer. Bytes come 10 clocks apart or
// more. Cost: about 120 LUT4, the CRC included.
`default_nettype none

module ek_frame_rx #(
    parameter integer BYTES = 270
) (
    input  wire       clk,
    input  wire       rst,
    input  wire       in_valid,
    input  wire [7:0] in_data,
    input  wire       room,
    output reg        out_valid,
    output reg  [7:0] out_data,
    output wire [8:0] out_index,
    output reg        good,
    output reg        bad_cobs,
    output reg        bad_crc,
    output reg        overrun,
    output wire [8:0] length
);
    localparam [8:0] SHORTEST = 9'd14;  // header and CRC
    localparam [8:0] LONGEST = BYTES[8:0];

    reg        started;   // a code byte has come since the delimiter
    reg        skip;      // nobody has room for this frame
    reg        zero_due;  // the block that ends stands for a zero
    reg        broken;    // too long
    reg  [7:0] left;      // data bytes of this block
    reg  [8:0] count;

    wire full = (count == LONGEST);
    wire code = (left == 8'd0);
    wire delimiter = in_valid && (in_data == 8'd0);
    wire emit = in_valid && !delimiter && (!code || zero_due);
    wire [31:0] crc;
    wire crc_ready;

    assign out_index = count;
    assign length = count - 9'd4;

    ek_crc32 u_crc (
        .clk(clk), .clear(!started), .valid(out_valid), .ready(crc_ready), .data(out_data),
        .state(crc)
    );

    always @(posedge clk) begin
        good <= 1'b0;
        bad_cobs <= 1'b0;
        bad_crc <= 1'b0;
        overrun <= 1'b0;
        out_valid <= emit && !skip && !full;
        if (emit) begin
            out_data <= code ? 8'd0 : in_data;
            if (full) broken <= 1'b1;
        end
        if (out_valid) count <= count + 9'd1;
        if (delimiter) begin
            overrun <= started && skip;
            if (started && !skip) begin
                if (!code || broken || count < SHORTEST) bad_cobs <= 1'b1;
                else if (crc != 32'hDEBB20E3) bad_crc <= 1'b1;
                else good <= 1'b1;
            end
            started <= 1'b0;
            left <= 8'd0;
            zero_due <= 1'b0;
        end else if (in_valid) begin
            started <= 1'b1;
            left <= code ? in_data - 8'd1 : left - 8'd1;
            if (code) zero_due <= (in_data != 8'hFF);
            if (!started) begin
                skip <= !room;
                if (room) count <= 9'd0;  // else `length` is still somebody's
                broken <= 1'b0;
            end
        end
        if (rst) begin
            started <= 1'b0;
            left <= 8'd0;
            zero_due <= 1'b0;
            out_valid <= 1'b0;
        end
    end

    wire unused = crc_ready;
endmodule
`default_nettype wire
