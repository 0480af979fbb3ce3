//! The panel that StableProjectorz shows for this server, in its layout language: a line is an element, what is further
//! in belongs to it, and each `code_name` is a field of `/generate`. The ranges are those of the model that runs here.

pub(super) const PANEL: &str = "\
vgroup spacing=8 flexibleWidth=1
    single_multi_img_input  code_name=(single_multi_img_input)  visible_name=(pictures)  content_min_num_needed=(make_meshes_and_tex:1, retexture:0 )
    go minHeight=140 preferredHeight=140 flexibleWidth=1
        hgroup spacing=8
            slider  code_name=(ss_strength)  visible_name=(shape\\nguidance)  min=0.1  max=10  default=7.5  show_n_decimals=1  flexibleHeight=1
            slider  code_name=(ss_steps)  visible_name=(shape\\nsteps)  min=1  max=50  default=12  flexibleHeight=1
            slider  code_name=(slat_strength)  visible_name=(detail\\nguidance)  min=0.1  max=10  default=3  show_n_decimals=1  flexibleHeight=1
            slider  code_name=(slat_steps)  visible_name=(detail\\nsteps)  min=1  max=50  default=12  flexibleHeight=1
    go minHeight=140 preferredHeight=140 flexibleWidth=1
        hgroup spacing=8
            slider  code_name=(mesh_simplify)  visible_name=(simplify\\n%)  min=0  max=98  default=95  show_n_decimals=0  flexibleHeight=1
            int_vertical  code_name=(texture_size)  visible_name=(texture\\nsize)  min=512  max=2048  default=1024  flexibleHeight=1
            int_horizontal  code_name=(seed)  visible_name=(seed)  min=-1  max=2147483647  default=-1  as_seed=true
";
