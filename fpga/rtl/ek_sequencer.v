// The processor that runs the link's commands: an 8-bit accumulator machine, two clocks an
// instruction.
//
// It has an accumulator A, a carry C, two pointers P and Q into a memory of 2,048 bytes, and
// two return addresses. A program word is 16 bits; edgekit/device/sequencer.py documents and
// assembles them, fpga/rtl/ek_link_*.asm is the program. In the first clock of an instruction
// that reads memory `fetch` is high, and `ram_data` has to hold the byte at `ram_addr` in the
// second clock, where it also writes. Ports answer in the second clock too. WAIT holds the
// processor, without a toggle, until `wake`. Cost: about 220 LUT4 and the program memory.
`default_nettype none

module ek_sequencer (
    input  wire        clk,
    input  wire        rst,
    input  wire        wake,
    output wire        fetch,
    output wire        at_wait,       // WAIT is the instruction
    output wire        program_read,
    output wire [10:0] program_addr,
    input  wire [15:0] program_data,
    output wire [10:0] ram_addr,
    input  wire [7:0]  ram_data,
    output wire        ram_write,
    output wire [4:0]  port,
    output wire        port_read,
    output wire        port_write,
    input  wire [7:0]  port_data,
    output wire [7:0]  a_out
);
    reg phase = 1'b1;  // 0: address and jump, 1: result
    reg live = 1'b0;   // the program memory's output is an instruction
    reg [10:0] pc = 11'd0;
    reg [10:0] back0, back1;
    reg [10:0] p, q;
    reg [7:0] a;
    reg c;

    wire [15:0] word = program_data;
    wire [3:0] op = word[15:12];
    wire alu = !word[15];
    wire immediate = (word[11:10] == 2'd1);
    wire jump = word[15] && (op != 4'd14) && (op != 4'd15);
    wire call = (op == 4'd13);
    wire set = (op == 4'd14);
    wire special = (op == 4'd15);
    wire ret = special && word[11];
    wire in_ = special && word[10];
    wire out_ = special && word[9];
    wire wait_ = special && word[8];

    wire step0 = !phase && !(wait_ && !wake);
    wire step1 = phase && live;
    wire zero = (a == 8'd0);
    reg met;
    always @* begin
        case (op[2:0])
            3'd1: met = zero;
            3'd2: met = !zero;
            3'd3: met = c;
            3'd4: met = !c;
            default: met = 1'b1;
        endcase
    end

    // A + B or A - B; SUB and SBC leave C high where nothing was borrowed.
    wire [7:0] b = immediate ? word[7:0] : ram_data;
    wire sub = (op[2:0] == 3'd3) || (op[2:0] == 3'd4);
    wire carry_in = (op[2:0] == 3'd2 || op[2:0] == 3'd4) ? c : sub;
    wire [8:0] sum = {1'b0, a} + {1'b0, b ^ {8{sub}}} + {8'd0, carry_in};

    assign fetch = !phase && alu && !immediate;
    assign at_wait = !phase && wait_;
    assign program_read = phase;
    assign program_addr = pc;
    assign ram_addr = word[11] ? (word[10] ? q : p) : {1'b0, word[9:0]};
    assign ram_write = step1 && alu && (op[2:0] == 3'd7);
    assign port = word[4:0];
    assign port_read = step1 && in_;
    assign port_write = step1 && out_;
    assign a_out = a;

    always @(posedge clk) begin
        if (step0 || phase) phase <= !phase;
        if (phase) live <= 1'b1;
        if (step0) begin
            if (ret) begin
                pc <= back0;
                back0 <= back1;
            end else if (jump && met) begin
                pc <= word[10:0];
            end else begin
                pc <= pc + 11'd1;
            end
            if (call) begin
                back0 <= pc + 11'd1;
                back1 <= back0;
            end
        end
        if (step1) begin
            if (alu && word[11]) begin
                if (word[10]) q <= q + 11'd1;
                else p <= p + 11'd1;
            end
            if (set && word[11]) q <= word[10:0];
            if (set && !word[11]) p <= word[10:0];
            if (in_) a <= port_data;
            if (alu) begin
                case (op[2:0])
                    3'd0: a <= b;
                    3'd5: a <= a ^ b;
                    3'd6: a <= a & b;
                    3'd7: a <= a;
                    default: begin
                        a <= sum[7:0];
                        c <= sum[8];
                    end
                endcase
            end
        end
        if (rst) begin
            phase <= 1'b1;
            live <= 1'b0;
            pc <= 11'd0;
        end
    end
endmodule
`default_nettype wire
