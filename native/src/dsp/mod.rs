//! Signal processing on 16-bit PCM: concealment, resampling, tones.
