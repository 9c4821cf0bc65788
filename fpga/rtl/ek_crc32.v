// CRC-32/ISO-HDLC (zlib's), one bit a clock.
//
// `clear` starts a message. A byte is taken when `valid` and `ready` are both high and takes nine
// clocks. The CRC of the message is ~`state`; over a message with its own CRC behind it, `state`
// is 32'hDEBB20E3. Cost: about 28 LUT4.
`default_nettype none

module ek_crc32 (
    input  wire        clk,
    input  wire        clear,
    input  wire        valid,
    output wire        ready,
    input  wire [7:0]  data,
    output reg  [31:0] state
);
    localparam [31:0] POLYNOMIAL = 32'hEDB88320;

    reg [3:0] left = 4'd0;

    assign ready = (left == 4'd0);

    always @(posedge clk) begin
        if (!ready) begin
            state <= {1'b0, state[31:1]} ^ (state[0] ? POLYNOMIAL : 32'd0);
            left <= left - 4'd1;
        end else if (valid) begin
            state[7:0] <= state[7:0] ^ data;
            left <= 4'd8;
        end
        if (clear) begin
            state <= 32'hFFFFFFFF;
            left <= 4'd0;
        end
    end
endmodule
`default_nettype wire
