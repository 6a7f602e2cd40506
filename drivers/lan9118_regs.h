/* The LAN9118's registers and their bits, as far as the driver has to do with them. Names are the
 * datasheet's (DS00002266, chapters 3 and 5). Private to the driver. */
#ifndef FK_DRIVERS_LAN9118_REGS_H
#define FK_DRIVERS_LAN9118_REGS_H

#include <stdint.h>

#define RX_DATA_FIFO UINT32_C(0x00)
#define TX_DATA_FIFO UINT32_C(0x20)
#define RX_STATUS_FIFO UINT32_C(0x40)
#define TX_STATUS_FIFO UINT32_C(0x48)
#define ID_REV UINT32_C(0x50)
#define IRQ_CFG UINT32_C(0x54)
#define INT_STS UINT32_C(0x58)
#define INT_EN UINT32_C(0x5c)
#define BYTE_TEST UINT32_C(0x64)
#define FIFO_INT UINT32_C(0x68)
#define RX_CFG UINT32_C(0x6c)
#define TX_CFG UINT32_C(0x70)
#define HW_CFG UINT32_C(0x74)
#define RX_FIFO_INF UINT32_C(0x7c)
#define TX_FIFO_INF UINT32_C(0x80)
#define PMT_CTRL UINT32_C(0x84)
#define RX_DROP UINT32_C(0xa0)
#define MAC_CSR_CMD UINT32_C(0xa4)
#define MAC_CSR_DATA UINT32_C(0xa8)
#define E2P_CMD UINT32_C(0xb0)

#define BYTE_TEST_VALUE UINT32_C(0x87654321)
#define IRQ_CFG_EN_HIGH UINT32_C(0x00000111) /* enabled, active high, push-pull */
#define INT_SW UINT32_C(0x80000000)
#define INT_PHY UINT32_C(0x00040000)
#define INT_RXE UINT32_C(0x00004000)
#define INT_TXE UINT32_C(0x00002000)
#define INT_TDFO UINT32_C(0x00000400)
#define INT_RSFL UINT32_C(0x00000008)
#define INT_BROKEN (INT_RXE | INT_TXE | INT_TDFO)
#define TX_CFG_ON UINT32_C(0x00000002)
#define HW_CFG_MBO UINT32_C(0x00100000) /* "must be one" */
#define HW_CFG_SRST_TO UINT32_C(0x00000002)
#define HW_CFG_SRST UINT32_C(0x00000001)
#define PMT_PHY_RST UINT32_C(0x00000400)
#define PMT_READY UINT32_C(0x00000001)
#define BUSY UINT32_C(0x80000000) /* of MAC_CSR_CMD and E2P_CMD */
#define CSR_READ UINT32_C(0x40000000)
#define TX_A_WHOLE UINT32_C(0x00003000) /* first and last segment */

#define STATUS_ERROR UINT32_C(0x00008000) /* of both status FIFOs: the sum of other bits */

/* Registers of the MAC, behind MAC_CSR_CMD. */
#define MAC_CR 1
#define ADDRH 2
#define ADDRL 3
#define MII_ACC 6
#define MII_DATA 7
#define CR_RCVOWN UINT32_C(0x00800000) /* do not receive what we send */
#define CR_FDPX UINT32_C(0x00100000)
#define CR_MCPAS UINT32_C(0x00080000)
#define CR_TXEN UINT32_C(0x00000008)
#define CR_RXEN UINT32_C(0x00000004)
#define MII_BUSY UINT32_C(0x00000001)
#define MII_WRITE UINT32_C(0x00000002)
#define MII_PHY UINT32_C(0x00000800) /* the internal PHY has the address 1 */

/* Registers of the PHY, behind MII_ACC. */
#define BCR 0
#define BSR 1
#define ANAR 4
#define ANLPAR 5
#define PHY_SOURCE 29
#define PHY_MASK 30
#define BCR_NEGOTIATE UINT32_C(0x1200) /* enable and restart */
#define BSR_UP UINT32_C(0x0024)        /* negotiated, and a link */
#define AN_100_FULL UINT32_C(0x0100)
#define AN_100_HALF UINT32_C(0x0080)
#define AN_10_FULL UINT32_C(0x0040)
#define PHY_NEGOTIATED UINT32_C(0x0040)
#define PHY_LINK_DOWN UINT32_C(0x0010)

#endif
