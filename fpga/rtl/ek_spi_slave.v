// SPI slave, mode 0, most significant bit first, as two streams of bytes.
//
// Sampled by `clk`: `sck` may have up to an eighth of its frequency. Received bytes come on `rx_*`;
// one that nobody has taken when the next is complete loses that next one (`overrun` for a clock).
// A byte on `tx_*` is taken with the first bit of it that the master clocks, so none is lost when
// the master stops between two bytes; where there is none, 00 is sent, which the link's framing
// reads as a pause. Raising `cs_n` ends a byte in the middle, on both sides. `miso` is to be driven
// only while `miso_en`.
//
// Timing: a bit reaches `miso` three clocks after the edge of `sck`, the first one three clocks after
// `cs_n` falls. Cost: 37 flip-flops, 25 LUT4 (yosys 0.23, iCE40).
`default_nettype none

module ek_spi_slave (
    input  wire       clk,
    input  wire       rst,

    input  wire       sck,
    input  wire       cs_n,
    input  wire       mosi,
    output wire       miso,
    output wire       miso_en,

    output reg        rx_valid,
    input  wire       rx_ready,
    output reg  [7:0] rx_data,
    input  wire       tx_valid,
    output wire       tx_ready,
    input  wire [7:0] tx_data,

    output reg        overrun
);
    // The pins in this clock domain; the latest sample is bit 0.
    reg [2:0] sck_seen;
    reg [2:0] cs_seen;
    reg [1:0] mosi_seen;

    always @(posedge clk) begin
        sck_seen <= {sck_seen[1:0], sck};
        cs_seen <= {cs_seen[1:0], cs_n};
        mosi_seen <= {mosi_seen[0], mosi};
        if (rst) begin
            sck_seen <= 3'b000;
            cs_seen <= 3'b111;
        end
    end

    wire selected = !cs_seen[1];
    wire begins = selected && cs_seen[2];
    wire rise = selected && !begins && sck_seen[2:1] == 2'b01;
    wire fall = selected && !begins && sck_seen[2:1] == 2'b10;

    reg [2:0] bits;  // of the byte under way that have come
    reg [6:0] in;
    reg [7:0] out;
    reg       loaded;  // `out` holds the byte on tx, which is not taken yet

    wire byte_in = rise && bits == 3'd7;
    wire load = begins || (fall && bits == 3'd0);

    assign miso = out[7];
    assign miso_en = selected;
    assign tx_ready = rise && bits == 3'd0 && loaded;

    always @(posedge clk) begin
        overrun <= byte_in && rx_valid && !rx_ready;
        if (rx_ready) begin
            rx_valid <= 1'b0;
        end
        if (byte_in && (!rx_valid || rx_ready)) begin
            rx_valid <= 1'b1;
            rx_data <= {in, mosi_seen[1]};
        end
        if (rise) begin
            in <= {in[5:0], mosi_seen[1]};
            bits <= bits + 3'd1;
        end
        if (fall) begin
            out <= {out[6:0], 1'b0};
        end
        if (tx_ready) begin
            loaded <= 1'b0;
        end
        if (load) begin
            out <= tx_valid ? tx_data : 8'd0;
            loaded <= tx_valid;
        end
        if (!selected || begins) begin
            bits <= 3'd0;
        end
        if (rst) begin
            rx_valid <= 1'b0;
            overrun <= 1'b0;
            loaded <= 1'b0;
            bits <= 3'd0;
        end
    end
endmodule

`default_nettype wire
