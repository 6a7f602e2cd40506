/* Vectors, reset and the way into the fault handler; in instructions of ARMv6-M, so that the file
 * serves Cortex-M0+ as well. */
    .syntax unified
    .thumb

    .equ STACK_FILL, 0x5aa5c33c /* machine.h: what has not been used of the stack */

    .section .vectors, "a"
    .word __stack_top
    .word machine_reset
    .word machine_fault_entry /* NMI: the watchdog */
    .word machine_fault_entry /* HardFault; MemManage, BusFault, UsageFault are not enabled and */
    .rept 11                  /* end there, too, which is what ARMv6-M knows */
    .word machine_fault_entry
    .endr
    .word machine_systick_interrupt
    .word machine_uart_interrupt /* 16, IRQ 0: UART 0 received */
    .rept 12
    .word machine_fault_entry
    .endr
    .word machine_ethernet_interrupt /* IRQ 13 */
    .rept 18
    .word machine_fault_entry
    .endr

    .text
    .thumb_func
    .type machine_reset, %function
    .global machine_reset
machine_reset:
    cpsid i
    /* Neither a debugger nor a boot loader need have left the stack pointer where it should be. */
    ldr r0, =__stack_top
    mov sp, r0
    ldr r1, =__stack_bottom
    ldr r2, =STACK_FILL
1:  subs r0, #4
    str r2, [r0]
    cmp r0, r1
    bhi 1b

    ldr r0, =__data_start
    ldr r1, =__data_end
    ldr r2, =__data_source
    b 3f
2:  ldm r2!, {r3}
    stm r0!, {r3}
3:  cmp r0, r1
    blo 2b

    ldr r0, =__bss_start
    ldr r1, =__bss_end
    movs r2, #0
    b 5f
4:  stm r0!, {r2}
5:  cmp r0, r1
    blo 4b

    bl machine_start
    udf #0
    .pool

/* The frame that the processor stacked goes to machine_fault(frame). Where little of the stack is
 * left, or nothing, the handler takes the stack from its top: the outermost frames tell least, and
 * a stack of its own would be RAM that is used once. Then it cannot return. */
    .thumb_func
    .type machine_fault_entry, %function
    .global machine_fault_entry
machine_fault_entry:
    mrs r0, msp
    ldr r1, =__stack_middle
    cmp r0, r1
    bhs 1f
    ldr r1, =__stack_top
    mov sp, r1
1:  push {r4, lr}
    bl machine_fault
    pop {r4, pc}
    .pool
