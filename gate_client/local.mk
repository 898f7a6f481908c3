# The client's side of the gate, compiled into each module that needs it: libc only, with the module's own bounds.
gate_client_sources = gate_client/jit.h gate_client/facts.c gate_client/message.c gate_client/talk.c gate_client/verdict.c \
	gate_client/wait.c
