#include "textflag.h"

// A group's four codes of the query, in every lane of Y4, times the four codes of each of eight rows, added up in their lanes of acc.
#define EIGHT(offset, acc) \
	VMOVDQU    offset(SI), Y5 \
	VPMADDUBSW Y4, Y5, Y5     \
	VPMADDWD   Y8, Y5, Y5     \
	VPADDD     Y5, acc, acc

// func reachAVX2(codes []uint8, query []int8, limit int32) uint32
TEXT ·reachAVX2(SB), NOSPLIT, $0-60
	MOVQ codes_base+0(FP), SI
	MOVQ query_base+24(FP), DI
	MOVQ query_len+32(FP), CX
	MOVL limit+48(FP), DX
	SHRQ $2, CX

	VPXOR    Y0, Y0, Y0
	VPXOR    Y1, Y1, Y1
	VPXOR    Y2, Y2, Y2
	VPXOR    Y3, Y3, Y3
	VPCMPEQW Y8, Y8, Y8
	VPSRLW   $15, Y8, Y8 // ones

group:
	VPBROADCASTD (DI), Y4
	EIGHT(0, Y0)
	EIGHT(32, Y1)
	EIGHT(64, Y2)
	EIGHT(96, Y3)
	ADDQ $4, DI
	ADDQ $128, SI
	DECQ CX
	JNZ  group

	// sum >= limit is sum > limit-1: the caller's limit is above the least int32.
	DECL         DX
	VMOVD        DX, X6
	VPBROADCASTD X6, Y6
	VPCMPGTD     Y6, Y0, Y0
	VPCMPGTD     Y6, Y1, Y1
	VPCMPGTD     Y6, Y2, Y2
	VPCMPGTD     Y6, Y3, Y3
	VMOVMSKPS    Y0, AX
	VMOVMSKPS    Y1, BX
	VMOVMSKPS    Y2, CX
	VMOVMSKPS    Y3, DX
	SHLL         $8, BX
	SHLL         $16, CX
	SHLL         $24, DX
	ORL          BX, AX
	ORL          CX, AX
	ORL          DX, AX
	MOVL         AX, ret+56(FP)
	VZEROUPPER
	RET

// func dotAVX2(a, b []float32) float64
TEXT ·dotAVX2(SB), NOSPLIT, $0-56
	MOVQ a_base+0(FP), SI
	MOVQ a_len+8(FP), CX
	MOVQ b_base+24(FP), DI
	SHRQ $3, CX

	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1

eight:
	VCVTPS2PD (SI), Y2
	VCVTPS2PD (DI), Y3
	VCVTPS2PD 16(SI), Y4
	VCVTPS2PD 16(DI), Y5
	VMULPD    Y3, Y2, Y2
	VMULPD    Y5, Y4, Y4
	VADDPD    Y2, Y0, Y0
	VADDPD    Y4, Y1, Y1
	ADDQ      $32, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       eight

	// s0+s4, s1+s5, s2+s6, s3+s7; then these by twos.
	VADDPD       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VHADDPD      X1, X0, X0
	VPERMILPD    $1, X0, X1
	VADDSD       X1, X0, X0
	VZEROUPPER
	MOVSD X0, ret+48(FP)
	RET
