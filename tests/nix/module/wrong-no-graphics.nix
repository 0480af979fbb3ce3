{ hardware.graphics.enable = false; }
