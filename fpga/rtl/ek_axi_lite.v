// AXI4-Lite slave: turns the five channels into one word written or read at a time.
//
// A write takes effect on `write_en`, one clock after address and data have both come, in whichever
// order. `read_data` is taken two clocks after `read_en`, so a memory with an output register and a
// multiplexer behind it fit in between. Answers are always OKAY; a second transfer waits for the
// answer to the first to be taken. The AXI rules kept: VALID never waits for READY, and what is
// valid stays until it is taken.
//
// Parameters: ADDR_WIDTH, bits of a byte address.
// Timing: a write every 2 clocks, a read every 4. Cost: ADDR_WIDTH + 75 flip-flops.
`default_nettype none

module ek_axi_lite #(
    parameter ADDR_WIDTH = 19
) (
    input  wire                  clk,
    input  wire                  rst,

    input  wire                  s_axi_awvalid,
    output wire                  s_axi_awready,
    input  wire [ADDR_WIDTH-1:0] s_axi_awaddr,
    input  wire                  s_axi_wvalid,
    output wire                  s_axi_wready,
    input  wire [31:0]           s_axi_wdata,
    input  wire [3:0]            s_axi_wstrb,
    output wire                  s_axi_bvalid,
    input  wire                  s_axi_bready,
    output wire [1:0]            s_axi_bresp,
    input  wire                  s_axi_arvalid,
    output wire                  s_axi_arready,
    input  wire [ADDR_WIDTH-1:0] s_axi_araddr,
    output wire                  s_axi_rvalid,
    input  wire                  s_axi_rready,
    output wire [31:0]           s_axi_rdata,
    output wire [1:0]            s_axi_rresp,

    output wire                  write_en,
    output wire [ADDR_WIDTH-1:0] write_addr,
    output wire [31:0]           write_data,
    output wire [3:0]            write_strobe,
    output wire                  read_en,
    output wire [ADDR_WIDTH-1:0] read_addr,
    input  wire [31:0]           read_data
);
    reg                  have_addr;
    reg                  have_data;
    reg                  answer;
    reg [ADDR_WIDTH-1:0] addr;
    reg [31:0]           data;
    reg [3:0]            strobe;

    assign s_axi_awready = !have_addr;
    assign s_axi_wready = !have_data;
    assign s_axi_bvalid = answer;
    assign s_axi_bresp = 2'b00;
    assign write_en = have_addr && have_data && (!answer || s_axi_bready);
    assign write_addr = addr;
    assign write_data = data;
    assign write_strobe = strobe;

    always @(posedge clk) begin
        if (s_axi_awvalid && s_axi_awready) begin
            addr <= s_axi_awaddr;
        end
        if (s_axi_wvalid && s_axi_wready) begin
            data <= s_axi_wdata;
            strobe <= s_axi_wstrb;
        end
        have_addr <= have_addr ? !write_en : s_axi_awvalid;
        have_data <= have_data ? !write_en : s_axi_wvalid;
        answer <= write_en || (answer && !s_axi_bready);
        if (rst) begin
            have_addr <= 1'b0;
            have_data <= 1'b0;
            answer <= 1'b0;
        end
    end

    localparam [1:0] IDLE = 2'd0;
    localparam [1:0] FETCH = 2'd1;
    localparam [1:0] TAKE = 2'd2;
    localparam [1:0] GIVE = 2'd3;

    reg [1:0]  state;
    reg [31:0] word;

    assign s_axi_arready = state == IDLE;
    assign read_en = s_axi_arvalid && s_axi_arready;
    assign read_addr = s_axi_araddr;
    assign s_axi_rvalid = state == GIVE;
    assign s_axi_rdata = word;
    assign s_axi_rresp = 2'b00;

    always @(posedge clk) begin
        case (state)
            IDLE: if (read_en) state <= FETCH;
            FETCH: state <= TAKE;
            TAKE: begin
                word <= read_data;
                state <= GIVE;
            end
            default: if (s_axi_rready) state <= IDLE;
        endcase
        if (rst) begin
            state <= IDLE;
        end
    end
endmodule

`default_nettype wire
