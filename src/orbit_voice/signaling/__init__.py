"""The SIP shell: transports, transactions on real sockets and timers, trace."""
